/** Hides words in response bodies as these stream: what may still become a word is held back until the next piece. */

import { Filter, decodeLatin1, encode, encodeLatin1 } from "tollgate-filter";

export default class Redact extends Filter {
  constructor({ words, replacement = "***" }) {
    super();
    if (!words?.length || !words.every(Boolean)) throw new Error("words: is empty, or one of them is; write what is to be hidden");
    // A body need not be text, so it is looked at with a character for each byte, and words likewise.
    this.words = words.map((word) => decodeLatin1(encode(word)));
    this.longest = Math.max(...this.words.map((word) => word.length));
    // Of alternatives the first one counts, so the longest comes first.
    const alternatives = [...this.words].sort((one, other) => other.length - one.length).map(escape);
    this.pattern = new RegExp(`(${alternatives.join("|")})`);
    this.replacement = decodeLatin1(encode(replacement));
  }

  onResponseBody(response, piece) {
    const text = (response.state.held ?? "") + decodeLatin1(piece.content);
    // What is between words, and words, in turn.
    const parts = text.split(this.pattern);
    response.state.held = piece.last ? "" : this.takeUnfinished(parts, text);
    for (let index = 1; index < parts.length; index += 2) parts[index] = this.replacement;
    return encodeLatin1(parts.join(""));
  }

  /** Takes off what may go on to be a word, or a longer one, wherever one could begin. */
  takeUnfinished(parts, text) {
    const near = text.length - this.longest + 1;
    let index = parts.length;
    let start = text.length;
    while (index > 0 && start > near) start -= parts[--index].length;
    for (; index < parts.length; start += parts[index++].length) {
      const isWord = index % 2 === 1;
      const places = isWord ? 1 : parts[index].length;
      for (let at = Math.max(0, near - start); at < places; at++) {
        const tail = text.slice(start + at);
        if (!this.words.some((word) => word.length > tail.length && word.startsWith(tail))) continue;
        parts.splice(index, parts.length, ...(isWord ? [] : [parts[index].slice(0, at)]));
        return tail;
      }
    }
    return "";
  }
}

const escape = (text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
