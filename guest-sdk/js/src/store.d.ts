/** State that outlives exchanges and instances, shared by all workers and, where the operator has chosen a store for several, by all
 *  gateways: values, counters and leases by key. Needs `"store"` among the imports of manifest.json.
 *
 *  Keys have 1 to 1024 bytes, values at most 65,536; times are in milliseconds, and 0 is for good. What comes to nothing throws a
 *  `GatewayError`: `denied`, `read-only`, `too-large`, `full`, `not-a-counter`, `unavailable` or `busy`. Not possible in the constructor of a
 *  filter and in `onEnd`. */

/** A lease that this filter holds, for as long as its time lasts. */
export interface Lease {
  /** Has the lease for that time from now, if it still is this holder's. Says whether it is. */
  renew(ttlMs: number): boolean;
  /** Gives the lease back. Says whether it still was this holder's. */
  release(): boolean;
}

/** A space that keys are in. */
export interface Space {
  /** The value of a key; nothing if there is none, or its time is over. */
  get(key: string | Uint8Array): Uint8Array | undefined;
  /** The same as text. */
  text(key: string | Uint8Array): string | undefined;
  /** What a counter is now, 0 if it is not there. Changes nothing. */
  count(key: string | Uint8Array): number;
  set(key: string | Uint8Array, value: string | Uint8Array, ttlMs?: number): void;
  /** Removes the value of a key. Says whether there was one. */
  delete(key: string | Uint8Array): boolean;
  /** Sets the value of a key if its value is now the expected one; without one, if there is none. Says whether it has. */
  compareAndSwap(
    key: string | Uint8Array,
    expected: string | Uint8Array | undefined,
    value: string | Uint8Array,
    ttlMs?: number,
  ): boolean;
  /** Makes a new value of the one that is there and swaps it in, again if somebody else has changed it meanwhile; returns the new one.
   *  `change` may be called several times. */
  update(key: string | Uint8Array, change: (value: Uint8Array | undefined) => string | Uint8Array, ttlMs?: number): Uint8Array;
  /** Adds to a counter, which is 0 where there is no value, and returns what it is then. The time counts from the call that makes the
   *  counter, and later calls leave it as it is. */
  increment(key: string | Uint8Array, by?: number, ttlMs?: number): number;
  /** Takes the lease of a key for that time; nothing if somebody else has it. What is done under it must bear being done twice, as who is
   *  slow may lose it without noticing. */
  lease(key: string | Uint8Array, ttlMs: number): Lease | undefined;
}

/** The policy's own space, which no other policy can reach. */
export function own(): Space;
/** A space that policies share. Denied unless the policy was granted it. */
export function shared(name: string): Space;
