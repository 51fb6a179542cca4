/** Where something was thrown, in the files of the filter's author. */

/** What `build.mjs` puts here: the files, and runs of lines as `lines.mjs` writes them. */
const places = "tollgate:places";

/** The most functions that are told. */
const MOST = 16;

/** What a line and a column of the bundle, counted from 0, were written as. */
function place(line, column) {
  const { files, runs } = places;
  let low = 0, high = runs.length / 4;
  while (low < high) {
    const middle = (low + high) >> 1;
    const isAfter = runs[4 * middle] > line || (runs[4 * middle] === line && runs[4 * middle + 1] > column);
    if (isAfter) high = middle;
    else low = middle + 1;
  }
  if (low === 0) return undefined;
  const [begun, , file, first] = runs.slice(4 * (low - 1), 4 * low);
  return file === -1 ? undefined : `${files[file]}:${first + line - begun + 1}`;
}

/** The functions that an error came through, the innermost first, in lines that the gateway knows. The SDK's own are left out. */
export function told(error) {
  if (typeof places === "string") return "";
  const frames = [];
  for (const [, name, line, column] of String(error.stack).matchAll(/^(.*)@source\.js:(\d+):(\d+)$/gm)) {
    const found = place(line - 1, column - 1);
    // A function without a name in `onRequest` is `onRequest/<` to the engine.
    if (found) frames.push(`\n    at ${name.replace(/[/<]+$/, "") || "a function"} (${found})`);
  }
  return frames.slice(0, MOST).join("");
}
