/** What time it is, for policies with `grants = { clock = true }`. Needs `"clock"` among the imports of manifest.json. */

/** Milliseconds since 1970 by the machine's clock, which may jump. */
export function now(): number;
/** Milliseconds since some moment, never going back: for measuring. */
export function monotonic(): number;
