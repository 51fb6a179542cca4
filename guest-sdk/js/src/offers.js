/** What a filter finds of the gateway in tests that run natively, and what it has left there; what everything means is in testing.d.ts. */

import { Request, Response } from "./callout.js";
import { GatewayError } from "./gateway.js";
import { install } from "./stand-in.js";
import { decode, encode } from "./text.js";

const refused = (payload) => Object.assign(new Error(payload), { payload });
const nanoseconds = (offers) => BigInt(Math.round(offers.time)) * 1_000_000n;

export class Offers {
  time = 1_700_000_000_000;
  stored = new Map();
  spaces = new Set();
  callouts = [];
  logged = [];
  secrets = {};
  allowed = true;
  metrics = {};
  answerCallout = () => new GatewayError("not-granted");

  constructor(given = {}) {
    Object.assign(this, given);
    install({
      callout: { sendAll: (requests) => requests.map((request) => this.#send(request)) },
      clock: { now: () => nanoseconds(this), monotonic: () => nanoseconds(this) },
      limiter: { take: () => ({ allowed: this.allowed, remaining: 0, retryAfterMs: this.allowed ? 0n : 1000n, resetAfterMs: 1000n }) },
      log: {
        write: (level, message, attributes) =>
          this.logged.push({ level, message, attributes: Object.fromEntries(attributes.map(({ name, value }) => [name, value])) }),
      },
      metrics: metrics(this.metrics),
      random: {
        getBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
        getU64: () => crypto.getRandomValues(new BigUint64Array(1))[0],
      },
      secrets: { get: (name) => (name in this.secrets ? encode(this.secrets[name]) : undefined) },
      store: store(this),
    });
  }

  #send({ upstream, path, method, fields, body, authority, timeoutMs, bodyLimit }) {
    const request = new Request(upstream, path, { method, body, authority, timeoutMs, bodyLimit });
    for (const { name, value } of fields) request.field(name, value);
    this.callouts.push(request);
    const answer = this.answerCallout(request);
    if (answer instanceof Response) return { tag: "ok", val: answer };
    return { tag: "err", val: { tag: answer.kind, val: answer.message === answer.kind ? undefined : answer.message } };
  }
}

/** Values are kept by space and key, with the time when they are over. */
function store(offers) {
  const ends = new Map();
  const leases = new Map();
  let tokens = 0n;
  const place = (space, key) => {
    if (space && !offers.spaces.has(space)) throw refused("denied");
    if (!key.length || key.length > 1024) throw refused("too-large");
    const name = space ? `${space}/${decode(key)}` : decode(key);
    if (ends.get(name) <= offers.time) {
      offers.stored.delete(name);
      ends.delete(name);
    }
    return name;
  };
  const put = (name, value, ttlMs) => {
    if (value.length > 65536) throw refused("too-large");
    offers.stored.set(name, decode(value));
    if (ttlMs) ends.set(name, offers.time + Number(ttlMs));
    else ends.delete(name);
  };
  const holds = (name, token) => leases.get(name)?.token === token && leases.get(name).end > offers.time;
  return {
    get: (space, key) => {
      const value = offers.stored.get(place(space, key));
      return value === undefined ? undefined : encode(value);
    },
    set: (space, key, value, ttlMs) => put(place(space, key), value, ttlMs),
    delete: (space, key) => offers.stored.delete(place(space, key)),
    compareAndSwap(space, key, expected, value, ttlMs) {
      const name = place(space, key);
      const isExpected = offers.stored.get(name) === (expected && decode(expected));
      if (isExpected) put(name, value, ttlMs);
      return isExpected;
    },
    increment(space, key, by, ttlMs) {
      const name = place(space, key);
      const value = offers.stored.get(name);
      if (!/^-?\d+$/.test(value ?? "0")) throw refused("not-a-counter");
      const count = BigInt(value ?? 0) + by;
      if (value === undefined) put(name, encode(String(count)), ttlMs);
      else offers.stored.set(name, String(count));
      return count;
    },
    acquire(space, key, ttlMs) {
      const name = place(space, key);
      if (leases.get(name)?.end > offers.time) return undefined;
      leases.set(name, { token: ++tokens, end: offers.time + Number(ttlMs) });
      return tokens;
    },
    renew(space, key, token, ttlMs) {
      const name = place(space, key);
      const isHeld = holds(name, token);
      if (isHeld) leases.get(name).end = offers.time + Number(ttlMs);
      return isHeld;
    },
    release(space, key, token) {
      const name = place(space, key);
      const isHeld = holds(name, token);
      if (isHeld) leases.delete(name);
      return isHeld;
    },
  };
}

/** Values by name, and by label behind it. */
function metrics(values) {
  const names = [];
  const series = [];
  const set = (number, value) => (values[series[number]] = Number(value));
  const add = (number, amount) => set(number, (values[series[number]] ?? 0) + Number(amount));
  return {
    define: ({ name }) => names.push(name) - 1,
    get: (metric, labels) => series.push([names[metric], ...labels].join(" ")) - 1,
    set,
    add,
    adjust: add,
    observe: add,
  };
}
