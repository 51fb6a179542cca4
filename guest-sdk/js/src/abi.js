/**
 * Head hooks by the canonical ABI, without the bindings that componentize-js generates: an engine that interprets takes most of a hook's time
 * for those. Facts are decoded in one go, and whatever goes back is encoded in one go. Layouts are those of `result<head-answer, string>`. No
 * iterators and no `subarray` in here, as the engine has them in JavaScript.
 */

import { Facts } from "./facts.js";
import { decode, encoder } from "./text.js";

const FORWARD = 0;
const REPLY = 2;
const KINDS = { set: 0, add: 1, remove: 2 };
/** Bytes of an edit and of a field. */
const EDIT = 20;
const FIELD = 16;

let buffer, bytes, words;
/** Where pieces have come to lie, and how long they are there. */
const starts = [];
const lengths = [];

/** Looks at memory as it is now; it may have grown. */
function look(memory) {
  const now = memory.buffer;
  if (now === buffer) return;
  buffer = now;
  bytes = new Uint8Array(now);
  words = new Uint32Array(now, 0, now.byteLength >> 2);
}

export function liftFacts(places, data, size, ends, count, memory, dealloc) {
  look(memory);
  const copied = [];
  for (let place = 0, word = ends >> 2; place < count; place++, word++) copied.push(words[word]);
  const view = new Uint8Array(buffer, data, size);
  const text = size === 0 ? "" : decode(view);
  // As long as there are bytes, each of them is a character; what is no text may be that long as well, and is no ASCII then.
  const facts = text.length === size && !text.includes("\ufffd") ? new Facts(places, copied, text) : new Facts(places, copied, undefined, view.slice());
  if (size !== 0) dealloc(data, size, 1);
  if (count !== 0) dealloc(ends, count * 4, 4);
  return facts;
}

/** Writes a text, and says how many bytes that are. */
const write = (text, at) => encoder.encodeInto(text, new Uint8Array(buffer, at, 3 * text.length)).written;

/** Puts texts and bytes behind so many bytes that are still to be filled, and says where those are. */
function pack(pieces, head, memory, realloc) {
  let text = "";
  let more = 0;
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index];
    if (typeof piece === "string") text += piece;
    else more += piece.length;
  }
  const base = realloc(0, 0, 8, head + 3 * text.length + more);
  look(memory);
  let at = base + head;
  const isPlain = more === 0 && text !== "" && write(text, at) === text.length;
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index];
    let length = piece.length;
    if (!isPlain && length !== 0) {
      if (typeof piece === "string") length = write(piece, at);
      else bytes.set(piece, at);
    }
    starts[index] = at;
    lengths[index] = length;
    at += length;
  }
  return base;
}

/** Writes where a piece is, and how long it is. */
function point(word, piece) {
  words[word] = starts[piece];
  words[word + 1] = lengths[piece];
}

/** The head goes on, or is held; with these edits. */
export function lowerAction(out, action, edits, memory, realloc) {
  const count = edits.length;
  let base = 8;
  if (count !== 0) {
    const pieces = [];
    for (let index = 0; index < count; index++) pieces.push(edits[index].name, edits[index].value);
    base = pack(pieces, count * EDIT, memory, realloc);
    let word = base >> 2;
    for (let index = 0; index < count; index++, word += EDIT >> 2) {
      words[word] = KINDS[edits[index].tag];
      point(word + 1, 2 * index);
      point(word + 3, 2 * index + 1);
    }
  } else look(memory);
  const word = out >> 2;
  words[word] = 0;
  words[word + 1] = action;
  words[word + 7] = base;
  words[word + 8] = count;
}

export function lowerReply(out, { status, fields, body }, memory, realloc) {
  const pieces = [body];
  for (const { name, value } of fields) pieces.push(name, value);
  const base = pack(pieces, fields.length * FIELD, memory, realloc);
  for (let index = 0, word = base >> 2; index < fields.length; index++, word += FIELD >> 2) {
    point(word, 2 * index + 1);
    point(word + 2, 2 * index + 2);
  }
  const word = out >> 2;
  words[word] = 0;
  words[word + 1] = REPLY;
  words[word + 2] = status & 0xffff;
  words[word + 3] = base;
  words[word + 4] = fields.length;
  point(word + 5, 0);
  words[word + 7] = 8;
  words[word + 8] = 0;
}

export function lowerFault(out, message, memory, realloc) {
  pack([message], 0, memory, realloc);
  const word = out >> 2;
  words[word] = 1;
  point(word + 1, 0);
}

export { FORWARD };
export const HOLDS = 1;
