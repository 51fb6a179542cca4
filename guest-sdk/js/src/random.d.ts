/** Random numbers that nobody can foresee, for policies with `grants = { random = true }`. Needs `"random"` among the imports of
 *  manifest.json. Not possible in the constructor of a filter. */

/** So many random bytes, 1024 at most. */
export function bytes(count: number): Uint8Array;
/** A random number of 64 bits. */
export function number(): bigint;
