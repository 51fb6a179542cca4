/** State that outlives exchanges; what everything means is in store.d.ts. */

import gateway from "#gateway/store";
import { GatewayError, calling, duration } from "./gateway.js";
import { decode, encode } from "./text.js";

/** How often `update` tries before it gives up. */
const ATTEMPTS = 64;

const REASONS = {
  denied: "there is no such space, or the policy was not granted it; write it into `grants.store`",
  "read-only": "the policy may read the space, but not change it",
  "too-large": "the key or the value is longer than it may be, or the key is empty",
  full: "there is no room for it in the space",
  "not-a-counter": "what stands there is no counter, or would be beyond 64 bits",
  unavailable: "the store cannot be reached, or did not answer in time",
  busy: "others changed the value each time before it could be swapped",
};
const call = calling(REASONS);

class Lease {
  #of;

  constructor(...of) {
    this.#of = of;
  }

  renew(ttlMs) {
    return call(gateway.renew, ...this.#of, duration(Math.max(1, ttlMs)));
  }

  release() {
    return call(gateway.release, ...this.#of);
  }
}

class Space {
  #name;

  constructor(name) {
    this.#name = name;
  }

  get(key) {
    return call(gateway.get, this.#name, encode(key)) ?? undefined;
  }

  text(key) {
    const value = this.get(key);
    return value && decode(value);
  }

  count(key) {
    const count = Number(this.text(key) ?? 0);
    if (!Number.isInteger(count)) throw new GatewayError("not-a-counter", REASONS["not-a-counter"]);
    return count;
  }

  set(key, value, ttlMs = 0) {
    call(gateway.set, this.#name, encode(key), encode(value), duration(ttlMs));
  }

  delete(key) {
    return call(gateway.delete ?? gateway.delete_, this.#name, encode(key));
  }

  compareAndSwap(key, expected, value, ttlMs = 0) {
    const wanted = expected === undefined ? undefined : encode(expected);
    return call(gateway.compareAndSwap, this.#name, encode(key), wanted, encode(value), duration(ttlMs));
  }

  update(key, change, ttlMs = 0) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const value = this.get(key);
      const next = encode(change(value));
      if (this.compareAndSwap(key, value, next, ttlMs)) return next;
    }
    throw new GatewayError("busy", REASONS.busy);
  }

  increment(key, by = 1, ttlMs = 0) {
    return Number(call(gateway.increment, this.#name, encode(key), BigInt(by), duration(ttlMs)));
  }

  lease(key, ttlMs) {
    const bytes = encode(key);
    const token = call(gateway.acquire, this.#name, bytes, duration(Math.max(1, ttlMs)));
    return token === undefined || token === null ? undefined : new Lease(this.#name, bytes, token);
  }
}

export const own = () => new Space("");
export const shared = (name) => new Space(name);
