/** What the component exports: the author's filter, between the types of the interface and those of the SDK. */

import Author from "tollgate:author";
import { lookUp } from "tollgate:imports";
import { ABORT, End, HOLD, Message, Reply, Trailers, encode, implemented } from "./index.js";

const ABSENT = 0xffffffff;
const FORWARD = { tag: "forward" };
const PASS = { tag: "pass" };
const EMPTY = Object.freeze([]);

let filter, interest, hasStates;
const states = new Map();

function stateOf(exchange) {
  if (!hasStates) return {};
  let state = states.get(exchange);
  if (!state) states.set(exchange, (state = {}));
  return state;
}

/** An error of the interface is thrown as its payload. */
function faults(hook) {
  try {
    return hook();
  } catch (error) {
    throw error instanceof Error ? (error.constructor === Error ? error.message : `${error.name}: ${error.message}`) : String(error);
  }
}

const reader = (exchange, direction) => (name) => lookUp(exchange, direction, name);
const reply = ({ status, fields, body }) => ({ tag: "reply", val: { status, fields, body } });

function head(hook, direction, names, exchange, facts) {
  return faults(() => {
    const found = new Map();
    let start = 0;
    names.forEach((name, index) => {
      const end = facts.ends[index];
      if (end === ABSENT) return found.set(name, undefined);
      found.set(name, facts.data.subarray(start, end));
      start = end;
    });
    const message = new Message(found, stateOf(exchange), reader(exchange, direction));
    const answer = filter[hook](message);
    if (answer === undefined) return { action: FORWARD, edits: message.edits };
    if (answer === HOLD) return { action: { tag: "hold" }, edits: message.edits };
    if (answer instanceof Reply) return { action: reply(answer), edits: EMPTY };
    throw new TypeError("a head hook has returned what it cannot");
  });
}

function body(hook, direction, exchange, piece, last) {
  return faults(() => {
    const message = new Message(new Map(), stateOf(exchange), reader(exchange, direction));
    const answer = filter[hook](message, { content: piece, last });
    let action;
    if (answer === undefined) action = PASS;
    else if (answer === ABORT) action = { tag: "abort" };
    else if (answer instanceof Reply) action = reply(answer);
    else if (answer instanceof End) action = { tag: "end", val: answer.content };
    else if (typeof answer === "string" || answer instanceof Uint8Array) action = { tag: "replace", val: encode(answer) };
    else throw new TypeError("a body hook has returned what it cannot");
    return { action, release: message.released, edits: message.edits };
  });
}

function trailers(hook, direction, exchange, fields) {
  return faults(() => {
    const message = new Message(new Map(), stateOf(exchange), reader(exchange, direction));
    const own = new Trailers(fields);
    const answer = filter[hook](message, own);
    let action;
    if (answer === undefined) action = PASS;
    else if (answer === ABORT) action = { tag: "abort" };
    else if (answer instanceof Reply) action = reply(answer);
    else throw new TypeError("a trailers hook has returned what it cannot");
    return { action, edits: own.edits };
  });
}

export const hooks = {
  configure(configuration) {
    return faults(() => {
      filter = new Author(JSON.parse(configuration));
      const wanted = filter.interest();
      const canonical = (names = []) => names.map((name) => (name.startsWith("@") ? name : name.toLowerCase()));
      interest = { request: canonical(wanted.request), response: canonical(wanted.response) };
      const present = implemented(filter);
      // What is remembered of an exchange is given up at its end.
      present.exchangeEnd ||= Object.values(present).filter(Boolean).length > 1;
      hasStates = present.exchangeEnd;
      const mode = (whole) => (whole ? "whole" : "pieces");
      return {
        hooks: present,
        requestFacts: interest.request,
        responseFacts: interest.response,
        requestBody: mode(wanted.wholeRequestBody),
        responseBody: mode(wanted.wholeResponseBody),
        tickMs: wanted.tickMs ?? 0,
      };
    });
  },
  onRequestHead: (exchange, facts) => head("onRequest", "request", interest.request, exchange, facts),
  onResponseHead: (exchange, facts) => head("onResponse", "response", interest.response, exchange, facts),
  onRequestBody: (exchange, piece, last) => body("onRequestBody", "request", exchange, piece, last),
  onResponseBody: (exchange, piece, last) => body("onResponseBody", "response", exchange, piece, last),
  onRequestTrailers: (exchange, fields) => trailers("onRequestTrailers", "request", exchange, fields),
  onResponseTrailers: (exchange, fields) => trailers("onResponseTrailers", "response", exchange, fields),
  onExchangeEnd(exchange) {
    const state = states.get(exchange);
    states.delete(exchange);
    filter.onEnd?.(state ?? {});
  },
  onTick: () => faults(() => filter.onTick?.()),
};
