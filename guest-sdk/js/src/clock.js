/** What time it is; what everything means is in clock.d.ts. */

import gateway from "#gateway/clock";

export const now = () => Number(gateway.now() / 1000n) / 1000;
export const monotonic = () => Number(gateway.monotonic() / 1000n) / 1000;
