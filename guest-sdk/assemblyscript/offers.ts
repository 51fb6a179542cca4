/** What the gateway offers besides: the log, clocks, chance, secrets and rate limits. Only what is used is imported. */

import { RESULT, Span, bytesAt, textAt } from "./memory";

@external("tollgate:filter/log@0.1.0", "write")
declare function logWrite(level: u32, message: usize, length: usize, attributes: usize, count: usize): void;
@external("tollgate:filter/clock@0.1.0", "now")
declare function clockNow(): u64;
@external("tollgate:filter/clock@0.1.0", "monotonic")
declare function clockMonotonic(): u64;
@external("tollgate:filter/random@0.1.0", "get-u64")
declare function randomNumber(): u64;
@external("tollgate:filter/random@0.1.0", "get-bytes")
declare function randomBytes(count: u32, result: usize): void;
@external("tollgate:filter/secrets@0.1.0", "get")
declare function secretsGet(name: usize, length: usize, result: usize): void;
@external("tollgate:filter/limiter@0.1.0", "take")
declare function limiterTake(key: usize, length: usize, requests: u32, period: u64, burst: u32, cost: u32, result: usize): void;

/** Messages to the gateway's log. Attributes are `[name, value]`, one after another. */
export namespace log {
  export function error(message: string, attributes: string[] = []): void {
    write(0, message, attributes);
  }

  export function warn(message: string, attributes: string[] = []): void {
    write(1, message, attributes);
  }

  export function info(message: string, attributes: string[] = []): void {
    write(2, message, attributes);
  }

  export function debug(message: string, attributes: string[] = []): void {
    write(3, message, attributes);
  }
}

function write(level: u32, message: string, attributes: string[]): void {
  const text = Span.ofText(message);
  const list = Span.ofList(attributes.length, 8);
  for (let i = 0; i < attributes.length; i++) Span.ofText(attributes[i]).put(list.at + 8 * <usize>i);
  logWrite(level, text.at, text.length, list.at, list.length / 2);
}

/** Nanoseconds. Needs `grants.clock`. */
export namespace clock {
  /** Since 1970. */
  export function now(): u64 {
    return clockNow();
  }

  /** Since some moment, never going back. */
  export function monotonic(): u64 {
    return clockMonotonic();
  }
}

/** Numbers that nobody can foresee. Needs `grants.random`. */
export namespace random {
  export function number(): u64 {
    return randomNumber();
  }

  export function bytes(count: u32): Uint8Array {
    randomBytes(count, RESULT);
    return bytesAt(load<usize>(RESULT), load<usize>(RESULT + 4));
  }
}

/** Secrets by name. Needs `grants.secrets`. */
export namespace secrets {
  export function get(name: string): string | null {
    const wanted = Span.ofText(name);
    secretsGet(wanted.at, wanted.length, RESULT);
    return load<u8>(RESULT) ? textAt(load<usize>(RESULT + 4), load<usize>(RESULT + 8)) : null;
  }
}

/** What a limiter says. */
export class Decision {
  constructor(
    readonly allowed: bool,
    readonly remaining: u32,
    readonly retryAfterMs: u64,
    readonly resetAfterMs: u64,
  ) {}
}

/** A rate that holds across all workers of the gateway. */
export class Limiter {
  constructor(
    readonly requests: u32,
    readonly periodMs: u64,
    readonly burst: u32 = requests,
  ) {}

  take(key: string, cost: u32 = 1): Decision {
    const text = Span.ofText(key);
    limiterTake(text.at, text.length, this.requests, this.periodMs, this.burst, cost, RESULT);
    return new Decision(load<u8>(RESULT) != 0, load<u32>(RESULT + 4), load<u64>(RESULT + 8), load<u64>(RESULT + 16));
  }
}

/** What `throw` and failed assertions do: the log says why and where, and the hook is a fault. */
@global
export function tollgateAbort(message: string | null, file: string | null, line: u32, column: u32): void {
  write(0, `${message ? message : "abort"} (at ${file ? file : "?"}:${line}:${column})`, []);
  unreachable();
}
