/**
 * Builds a filter: `node --input-type=module - SDK WIT OUTPUT IMPORT… < build.mjs`, run in the project's folder, as what is read from
 * standard input finds packages from there.
 */

import { componentize } from "@bytecodealliance/componentize-js";
import { build } from "esbuild";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const [sdk, wit, output, ...imports] = process.argv.slice(2);

const author = ["src/filter.ts", "src/filter.js"].map((name) => resolve(name)).find(existsSync);
const lookUp = imports.includes("exchange")
  ? `import { get } from "tollgate:filter/exchange@0.1.0"; export const lookUp = (exchange, direction, name) => get(exchange, direction, name);`
  : `export const lookUp = (exchange, direction, name) => {
       throw new Error(name + ' is not in the interest of the filter; name it there, or write "exchange" to "imports" of manifest.json');
     };`;

/** `tollgate:author` is the author's file, and `tollgate-filter` the SDK that lies here. */
const own = {
  name: "tollgate",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^tollgate:author$/ }, () => ({ path: author }));
    onResolve({ filter: /^tollgate-filter$/ }, () => ({ path: join(sdk, "src/index.js") }));
    onResolve({ filter: /^tollgate:imports$/ }, () => ({ path: "imports", namespace: "tollgate" }));
    onLoad({ filter: /.*/, namespace: "tollgate" }, () => ({ contents: lookUp, loader: "js" }));
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
});
const { component } = await componentize(bundle.outputFiles[0].text, {
  witPath: resolve(wit),
  worldName: "filter",
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);
