/** Rate limits that hold across all workers. Needs `"limiter"` among the imports of manifest.json. */

/** So many requests in each period on average, and so many at once. */
export interface Limit {
  requests: number;
  periodMs: number;
  burst: number;
}

/** Whether a request is within the limit; one that is not does not count. */
export interface Decision {
  allowed: boolean;
  /** How many more would be allowed right now. */
  remaining: number;
  /** Until a request of the same cost is allowed; 0 if this one was. */
  retryAfterMs: number;
  /** Until the whole burst is available again. */
  resetAfterMs: number;
}

/** Counts a request against a key, which is private to the policy. */
export function take(key: string | Uint8Array, limit: Limit, cost?: number): Decision;
