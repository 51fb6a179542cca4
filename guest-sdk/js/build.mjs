/**
 * Builds a filter: `node --input-type=module - SDK WIT OUTPUT IMPORT… < build.mjs`, run in the project's folder, as what is read from
 * standard input finds packages from there.
 */

import { componentize, version } from "@bytecodealliance/componentize-js";
import { build } from "esbuild";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";

const [sdk, wit, output, ...imports] = process.argv.slice(2);

const author = ["src/filter.ts", "src/filter.js"].map((name) => resolve(name)).find(existsSync);
const lookUp = imports.includes("exchange")
  ? `import { get } from "tollgate:filter/exchange@0.1.0"; export const lookUp = (exchange, direction, name) => get(exchange, direction, name);`
  : `export const lookUp = (exchange, direction, name) => {
       throw new Error(name + ' is not in the interest of the filter; name it there, or write "exchange" to "imports" of manifest.json');
     };`;

const offered = (name) => `import * as gateway from "tollgate:filter/${name}@0.1.0"; export default gateway;`;
/** Which of the gateway's interfaces a module of the SDK stands for, whether the manifest names it or not. */
const GATEWAY = "tollgate-gateway";

/** `tollgate:author` is the author's file, `tollgate-filter` the SDK that lies here, and `#gateway/…` what the SDK finds of the gateway.
 *  What the author does not use of the SDK is left out. */
const own = {
  name: "tollgate",
  setup({ onResolve, onLoad }) {
    const sideEffects = false;
    onResolve({ filter: /^tollgate:author$/ }, () => ({ path: author }));
    onResolve({ filter: /^tollgate-filter$/ }, () => ({ path: join(sdk, "src/index.js"), sideEffects }));
    onResolve({ filter: /^tollgate:imports$/ }, () => ({ path: "imports", namespace: "tollgate" }));
    onResolve({ filter: /^#gateway\// }, ({ path }) => ({ path: path.slice("#gateway/".length), namespace: GATEWAY, sideEffects }));
    onLoad({ filter: /.*/, namespace: "tollgate" }, () => ({ contents: lookUp, loader: "js" }));
    onLoad({ filter: /.*/, namespace: GATEWAY }, ({ path }) => ({
      contents: imports.includes(path) ? offered(path) : "export default undefined;",
      loader: "js",
    }));
  },
};

const bundle = await build({
  entryPoints: [join(sdk, "src/entry.js")],
  bundle: true,
  format: "esm",
  target: "es2022",
  external: ["tollgate:filter/*"],
  plugins: [own],
  write: false,
  metafile: true,
  sourcemap: "external",
  outfile: "bundle.js",
});
const [map, { text }] = ["map", "js"].map((kind) => bundle.outputFiles.find(({ path }) => path.endsWith(kind)));
const { inputs } = Object.values(bundle.metafile.outputs).find(({ entryPoint }) => entryPoint);
const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput).map(([input]) => input.split(":"));
const missing = used.filter(([namespace, name]) => namespace === GATEWAY && !imports.includes(name));
if (missing.length) {
  for (const [, name] of missing) console.error(`the filter uses "${name}"; write it to "imports" of manifest.json`);
  process.exit(1);
}

/** Errors name lines of what the author has written: see `src/stack.js`. The SDK's own are of no use to them. */
const { lines } = await import(pathToFileURL(join(sdk, "lines.mjs")));
const sdkHere = relative("", sdk).split(sep).join("/");
const places = lines(map.text, (source) => !source.includes(":") && !source.startsWith(`${sdkHere}/`));
const traced = text.replace('"tollgate:places"', () => JSON.stringify(places));

/** Head hooks are called directly, as `src/abi.js` says: each of their generated bindings is replaced by a call of the SDK's own. Exactly
 *  this version of componentize-js is known to be like that. */
const { splicer } = await import(new URL("../lib/spidermonkey-embedding-splicer.js", import.meta.resolve("@bytecodealliance/componentize-js")));
const spliceBindings = splicer.spliceBindings;
splicer.spliceBindings = (...given) => {
  const spliced = spliceBindings(...given);
  for (const hook of ["OnRequestHead", "OnResponseHead"]) {
    const generated = new RegExp(`async function (export_hooks_0_1_0\\$o${hook.slice(1)})\\(.*?\\n}\\n`, "s");
    if (!generated.test(spliced.jsBindings)) throw new Error(`componentize-js ${version} is not known; install 0.23.0`);
    spliced.jsBindings = spliced.jsBindings.replace(
      generated,
      (_, name) => `function ${name}(a, b, c, d, e, f) { hooks010${hook}(a, b, c, d, e, f, $memory, $realloc, $dealloc); return $done; }\n`,
    );
  }
  spliced.jsBindings = spliced.jsBindings.replace("delete globalThis.$bindings;", "delete globalThis.$bindings;\nconst $done = Promise.resolve();");
  return spliced;
};

const { component } = await componentize(traced, {
  witPath: resolve(wit),
  worldName: "filter",
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);
