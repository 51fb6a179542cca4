/** The facts that a head hook gets: one buffer for all of them, read only where a filter asks. */

import { decode, encode } from "./text.js";

/** Stands where a message has no such fact. */
export const ABSENT = 0xffffffff;

const NONE = new Map();

export class Facts {
  /** `places` says which fact is which, `ends` where each ends; `text` is all of them if each byte is a character, `data` otherwise. */
  constructor(places, ends, text, data) {
    this.places = places;
    this.ends = ends;
    this.string = text;
    this.data = data;
  }

  static none = new Facts(NONE, [], "", undefined);

  /** Of names with their values. */
  static of(values) {
    const ends = [];
    const all = [];
    for (const value of values.values()) {
      all.push(...value);
      ends.push(all.length);
    }
    return new Facts(new Map([...values.keys()].map((name, place) => [name, place])), ends, undefined, Uint8Array.from(all));
  }

  text(place) {
    const end = this.ends[place];
    if (end === ABSENT) return undefined;
    const start = this.start(place);
    return this.string === undefined ? decode(this.data.subarray(start, end)) : this.string.slice(start, end);
  }

  bytes(place) {
    const end = this.ends[place];
    if (end === ABSENT) return undefined;
    const start = this.start(place);
    return this.string === undefined ? this.data.subarray(start, end) : encode(this.string.slice(start, end));
  }

  /** Behind the nearest one before that is not absent. */
  start(place) {
    while (place > 0) {
      const end = this.ends[--place];
      if (end !== ABSENT) return end;
    }
    return 0;
  }
}
