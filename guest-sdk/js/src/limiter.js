/** Rate limits; what everything means is in limiter.d.ts. */

import gateway from "#gateway/limiter";
import { duration } from "./gateway.js";
import { encode } from "./text.js";

export function take(key, { requests, periodMs, burst }, cost = 1) {
  const made = gateway.take(encode(key), { requests, burst, periodMs: duration(Math.max(1, periodMs)) }, cost);
  return { ...made, retryAfterMs: Number(made.retryAfterMs), resetAfterMs: Number(made.resetAfterMs) };
}
