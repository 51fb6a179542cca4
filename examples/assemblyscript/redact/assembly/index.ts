/** Hides words in response bodies as these stream: what may still become a word is held back until the next piece. */

import { Answer, Filter, Interest, Json, Replace, Response, State, bytesOf, install } from "tollgate-filter";

/** What is held back of a body. */
class Held extends State {
  bytes: Uint8Array = new Uint8Array(0);
}

class Redact extends Filter {
  /** The longest first. */
  words: Uint8Array[] = [];
  replacement: Uint8Array = new Uint8Array(0);
  /** Whether a word begins with this byte. */
  begins: StaticArray<bool> = new StaticArray<bool>(256);

  configure(config: Json): string | null {
    const words = config.get("words").items;
    for (let i = 0; i < words.length; i++) {
      const word = bytesOf(words[i].text);
      if (!word.length) return "words: one of them is empty; write what is to be hidden";
      this.words.push(word);
      this.begins[word[0]] = true;
    }
    this.words.sort((one, other) => other.length - one.length);
    this.replacement = bytesOf(config.get("replacement").textOr("***"));
    return words.length ? null : "words: is empty; write what is to be hidden";
  }

  interest(): Interest {
    return new Interest().responseBody().state();
  }

  onResponseBody(response: Response, piece: Uint8Array, last: bool): Answer {
    if (!response.state) response.state = new Held();
    const held = response.state as Held;
    const text = joined(held.bytes, piece);
    const out = new Output(text.length);
    let at = 0;
    while (at < text.length) {
      if (!this.begins[text[at]]) {
        out.byte(text[at++]);
        continue;
      }
      if (!last && this.mayGoOn(text, at)) break;
      const word = this.wordAt(text, at);
      if (word) {
        out.bytes(this.replacement);
        at += word.length;
      } else {
        out.byte(text[at++]);
      }
    }
    held.bytes = text.slice(at);
    return new Replace(out.whole());
  }

  /** Whether the text ends within what may be a word that begins there. */
  mayGoOn(text: Uint8Array, at: i32): bool {
    const rest = text.length - at;
    for (let i = 0; i < this.words.length; i++) {
      const word = this.words[i];
      if (word.length <= rest) return false;
      if (memory.compare(word.dataStart, text.dataStart + at, rest) == 0) return true;
    }
    return false;
  }

  wordAt(text: Uint8Array, at: i32): Uint8Array | null {
    for (let i = 0; i < this.words.length; i++) {
      const word = this.words[i];
      if (word.length <= text.length - at && memory.compare(word.dataStart, text.dataStart + at, word.length) == 0) return word;
    }
    return null;
  }
}

/** Bytes that become more. */
class Output {
  private room: Uint8Array;
  private length: i32 = 0;

  constructor(expected: i32) {
    this.room = new Uint8Array(expected + 16);
  }

  byte(byte: u8): void {
    this.reserve(1);
    this.room[this.length++] = byte;
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.room.set(bytes, this.length);
    this.length += bytes.length;
  }

  whole(): Uint8Array {
    return this.room.subarray(0, this.length);
  }

  private reserve(count: i32): void {
    if (this.length + count <= this.room.length) return;
    const larger = new Uint8Array((this.length + count) * 2);
    larger.set(this.room.subarray(0, this.length));
    this.room = larger;
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (!one.length) return other;
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

install(new Redact());
