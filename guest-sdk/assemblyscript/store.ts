/** State that outlives exchanges and instances: values and counters by key. */

import { RESULT, Span, textAt } from "./memory";

@external("tollgate:filter/store@0.1.0", "get")
declare function storeGet(space: usize, spaceLength: usize, key: usize, keyLength: usize, result: usize): void;
@external("tollgate:filter/store@0.1.0", "set")
declare function storeSet(space: usize, spaceLength: usize, key: usize, keyLength: usize, value: usize, valueLength: usize, ttl: u64, result: usize): void;
@external("tollgate:filter/store@0.1.0", "delete")
declare function storeDelete(space: usize, spaceLength: usize, key: usize, keyLength: usize, result: usize): void;
@external("tollgate:filter/store@0.1.0", "increment")
declare function storeIncrement(space: usize, spaceLength: usize, key: usize, keyLength: usize, by: i64, ttl: u64, result: usize): void;

/** Why a call came to nothing. */
export enum StoreError {
  None = -1,
  Denied,
  ReadOnly,
  TooLarge,
  Full,
  NotACounter,
  Unavailable,
}

/** A space of the store. After each call `error` says whether it came to nothing, and why. */
export class Space {
  error: StoreError = StoreError.None;
  private name: string;

  /** The policy's own, or one that policies share, which has to be granted. */
  constructor(name: string = "") {
    this.name = name;
  }

  /** The value of a key, or `null` if there is none. */
  get(key: string): string | null {
    const space = Span.ofText(this.name);
    const text = Span.ofText(key);
    storeGet(space.at, space.length, text.at, text.length, RESULT);
    if (!this.succeeded(4)) return null;
    return load<u8>(RESULT + 4) ? textAt(load<usize>(RESULT + 8), load<usize>(RESULT + 12)) : null;
  }

  /** Sets the value of a key, for so many milliseconds; 0 is for good. */
  set(key: string, value: string, ttlMs: u64 = 0): bool {
    const space = Span.ofText(this.name);
    const text = Span.ofText(key);
    const content = Span.ofText(value);
    storeSet(space.at, space.length, text.at, text.length, content.at, content.length, ttlMs, RESULT);
    return this.succeeded(1);
  }

  /** Removes the value of a key. Says whether there was one. */
  remove(key: string): bool {
    const space = Span.ofText(this.name);
    const text = Span.ofText(key);
    storeDelete(space.at, space.length, text.at, text.length, RESULT);
    return this.succeeded(1) && load<u8>(RESULT + 1) != 0;
  }

  /** Adds to a counter, and returns what it is then. Its time to live counts from the call that makes it. */
  increment(key: string, by: i64 = 1, ttlMs: u64 = 0): i64 {
    const space = Span.ofText(this.name);
    const text = Span.ofText(key);
    storeIncrement(space.at, space.length, text.at, text.length, by, ttlMs, RESULT);
    return this.succeeded(8) ? load<i64>(RESULT + 8) : 0;
  }

  private succeeded(offset: usize): bool {
    this.error = load<u8>(RESULT) ? <StoreError>load<u8>(RESULT + offset) : StoreError.None;
    return this.error == StoreError.None;
  }
}
