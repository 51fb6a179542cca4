/**
 * Memory. What the gateway hands over and what a hook makes are objects of the runtime ("minimal"), which gives back what nothing leads to
 * any more. It is asked to between two hooks only, when no object is known to the stack alone, and not at each.
 */

import { encode } from "./text";

/** How many hooks there may be before memory is given back, and how many bytes may have been handed over. */
const HOOKS: u32 = 32;
const BYTES: usize = 131072;

let hasAnswered = false;
let hooks: u32 = 0;
let bytes: usize = 0;

/** Facts of a head hook are put here, if they fit, without an allocation. */
export const INBOX: usize = memory.data(4096, 8);

/** The answer to a hook lies here until the gateway calls again. */
export const ANSWER: usize = memory.data(48, 8);

/** What an import leaves behind. */
export const RESULT: usize = memory.data(64, 8);

/** A hook is called, or the gateway asks for memory to call it with. */
export function begin(): void {
  if (!hasAnswered) return;
  hasAnswered = false;
  if (++hooks < HOOKS && bytes < BYTES) return;
  hooks = 0;
  bytes = 0;
  __collect();
}

/** A hook has answered: the gateway reads that before it calls again. */
export function end(): usize {
  hasAnswered = true;
  return ANSWER;
}

/** How the gateway asks for room: what it gets is an `ArrayBuffer`. */
export function realloc(before: usize, had: usize, alignment: usize, size: usize): usize {
  begin();
  bytes += size;
  const place = __new(size, idof<ArrayBuffer>());
  if (before) memory.copy(place, before, min(had, size));
  return place;
}

/** A list of bytes that the gateway has put somewhere, copied. */
export function bytesAt(place: usize, length: usize): Uint8Array {
  const copy = new Uint8Array(<i32>length);
  memory.copy(copy.dataStart, place, length);
  return copy;
}

/** A text that the gateway has put somewhere. */
export function textAt(place: usize, length: usize): string {
  return String.UTF8.decodeUnsafe(place, length);
}

/** A pointer and a length, as lists and texts are laid out. */
export class Span {
  constructor(
    public at: usize,
    public length: usize,
  ) {}

  static ofText(text: string): Span {
    const buffer = encode(text);
    bytes += buffer.byteLength;
    return new Span(changetype<usize>(buffer), buffer.byteLength);
  }

  static ofBytes(content: Uint8Array): Span {
    return new Span(content.dataStart, content.byteLength);
  }

  /** Room for a list. */
  static ofList(count: i32, size: usize): Span {
    return new Span(__new(<usize>count * size, idof<ArrayBuffer>()), count);
  }

  /** Writes it down where the interface has it. */
  put(place: usize): void {
    store<usize>(place, this.at);
    store<usize>(place + 4, this.length);
  }
}
