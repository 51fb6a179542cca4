/** Removes and sets members of JSON objects in response bodies. */

import { Filter, decode } from "tollgate-filter";

/** A text with a number that might not be the same once JavaScript has read it. */
const LONG_NUMBER = /\d{16}|\d[.eE]|-0/;

export default class JsonBody extends Filter {
  constructor({ remove = [], set = {} }) {
    super();
    this.removed = new Set(remove);
    this.set = Object.entries(set);
  }

  interest() {
    return { response: ["content-type"], wholeResponseBody: true };
  }

  onResponse(response) {
    const [kind] = (response.field("content-type") ?? "").split(";");
    response.state.isJson = kind.trim().toLowerCase() === "application/json";
  }

  onResponseBody(response, piece) {
    const text = response.state.isJson ? decode(piece.content) : "";
    // What is no UTF-8 passes as it is.
    const document = text.includes("\ufffd") ? undefined : parse(text);
    if (typeof document !== "object" || document === null || Array.isArray(document)) return;
    for (const name of this.removed) delete document[name];
    for (const [name, value] of this.set) Object.defineProperty(document, name, { value, enumerable: true, configurable: true, writable: true });
    return JSON.stringify(document);
  }
}

function parse(text) {
  try {
    return LONG_NUMBER.test(text) && JSON.rawJSON ? JSON.parse(text, asWritten) : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const asWritten = (_, value, { source }) => (typeof value === "number" ? JSON.rawJSON(source) : value);
