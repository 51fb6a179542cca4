/** Secrets by name; what everything means is in secrets.d.ts. */

import gateway from "#gateway/secrets";

export const get = (name) => gateway.get(name) ?? undefined;
