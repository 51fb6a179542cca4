/**
 * Which line of which file each line of a bundle comes from, out of its source map: as little as the filter has to carry to say where
 * something was thrown.
 */

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The numbers of a segment of a source map. */
function numbers(segment) {
  const found = [];
  let value = 0, shift = 0;
  for (const letter of segment) {
    const digit = DIGITS.indexOf(letter);
    value += (digit & 31) * 2 ** shift;
    shift += 5;
    if (digit & 32) continue;
    found.push(value % 2 ? -Math.floor(value / 2) : value / 2);
    value = shift = 0;
  }
  return found;
}

/**
 * The files, and runs: four numbers for each, the line and column of the bundle that it begins at, the file, and the line there. Within a
 * run both count lines alike. Places in files of others, for which `isOwn` is false, are of the file -1.
 */
export function lines(map, isOwn) {
  const { sources, mappings } = JSON.parse(map);
  const files = sources.filter(isOwn);
  const numbered = sources.map((source) => files.indexOf(source));
  const runs = [];
  let source = 0, line = 0;
  mappings.split(";").forEach((segments, at) => {
    let column = 0;
    for (const segment of segments.split(",").filter(Boolean)) {
      const [columns, sourcesOn = 0, linesOn = 0] = numbers(segment);
      column += columns;
      source += sourcesOn;
      line += linesOn;
      const [begun, , file, first] = runs.slice(-4);
      if (file !== numbered[source] || (file !== -1 && first + at - begun !== line)) runs.push(at, column, numbered[source], line);
    }
  });
  return { files, runs };
}
