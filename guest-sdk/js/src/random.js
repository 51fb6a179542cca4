/** Random numbers; what everything means is in random.d.ts. */

import gateway from "#gateway/random";

export const bytes = (count) => gateway.getBytes(count);
export const number = () => gateway.getU64();
