/** Secrets by name, as the configuration's `[secrets]` has them, for policies that are granted them. Needs `"secrets"` among the imports of
 *  manifest.json. */

/** The secret as it is now; nothing if the policy is granted none of that name. Secrets are exchanged while the filter runs, so ask whenever
 *  one is needed. */
export function get(name: string): Uint8Array | undefined;
