/** Filters for the Tollgate gateway; what everything means is in index.d.ts. */

import { decode, encode } from "./text.js";

export * as callout from "./callout.js";
export * as clock from "./clock.js";
export * as limiter from "./limiter.js";
export * as log from "./log.js";
export * as metrics from "./metrics.js";
export * as random from "./random.js";
export * as secrets from "./secrets.js";
export * as store from "./store.js";
export { hex, sha256 } from "./digest.js";
export { GatewayError } from "./gateway.js";
export { decode, decodeLatin1, encode, encodeLatin1 } from "./text.js";

/** The head waits until the body hook lets it go: from head hooks. */
export const HOLD = Object.freeze({ hold: true });
/** The exchange is cut: from body and trailers hooks. */
export const ABORT = Object.freeze({ abort: true });

export class Reply {
  constructor(status, body = "", fields = {}) {
    this.status = status;
    this.body = encode(body);
    this.fields = [];
    for (const [name, value] of Object.entries(fields)) this.field(name, value);
  }

  static problem(status, title, detail) {
    const document = detail === undefined ? { status, title } : { status, title, detail };
    return new Reply(status, JSON.stringify(document), { "content-type": "application/problem+json" });
  }

  field(name, value) {
    this.fields.push({ name: name.toLowerCase(), value: encode(value) });
    return this;
  }
}

export class End {
  constructor(content) {
    this.content = encode(content);
  }
}

const canonical = (name) => (name.startsWith("@") ? name : name.toLowerCase());
const content = (value) => (typeof value === "string" || value instanceof Uint8Array ? value : String(value));

/** What messages and trailers have in common. Not a class that they extend: calling its constructor costs a hook more than the rest of it. */
const editing = {
  set(name, value) {
    this.edits.push({ tag: "set", name: canonical(name), value: content(value) });
  },

  add(name, value) {
    this.edits.push({ tag: "add", name: canonical(name), value: content(value) });
  },

  remove(name) {
    this.edits.push({ tag: "remove", name: canonical(name), value: "" });
  },
};

export class Message {
  constructor(facts, state, lookUp, exchange, direction) {
    this.edits = [];
    this.released = false;
    this._facts = facts;
    this._lookUp = lookUp;
    this._exchange = exchange;
    this._direction = direction;
    this.state = state;
  }

  field(name) {
    const place = this._facts.places.get(name) ?? this._facts.places.get(canonical(name));
    if (place !== undefined) return this._facts.text(place);
    const value = this._lookUp(this._exchange, this._direction, canonical(name));
    return value === undefined || value === null ? undefined : decode(value);
  }

  fieldBytes(name) {
    const wanted = canonical(name);
    const place = this._facts.places.get(wanted);
    return place === undefined ? (this._lookUp(this._exchange, this._direction, wanted) ?? undefined) : this._facts.bytes(place);
  }

  release() {
    this.released = true;
  }

  get method() {
    return this.field(":method");
  }

  get path() {
    return this.field(":path");
  }

  get status() {
    return Number(this.field(":status"));
  }
}

Object.assign(Message.prototype, editing);

export class Trailers {
  constructor(fields) {
    this.edits = [];
    this.fields = fields;
  }

  field(name) {
    const found = this.fields.find((field) => field.name === name.toLowerCase());
    return found && decode(found.value);
  }
}

Object.assign(Trailers.prototype, editing);

export class Filter {
  interest() {
    return {};
  }
}

const HOOKS = ["onRequest", "onRequestBody", "onRequestTrailers", "onResponse", "onResponseBody", "onResponseTrailers", "onEnd"];

/** Which hooks a filter has, as the interface names them. */
export function implemented(filter) {
  const [requestHead, requestBody, requestTrailers, responseHead, responseBody, responseTrailers, exchangeEnd] = HOOKS.map(
    (name) => typeof filter[name] === "function",
  );
  return { requestHead, requestBody, requestTrailers, responseHead, responseBody, responseTrailers, exchangeEnd };
}
