/** What the component exports: the author's filter, between the types of the interface and those of the SDK. */

import Author from "tollgate:author";
import { lookUp } from "tollgate:imports";
import { FORWARD, HOLDS, liftFacts, lowerAction, lowerFault, lowerReply } from "./abi.js";
import { Facts } from "./facts.js";
import { ABORT, End, GatewayError, HOLD, Message, Reply, Trailers, encode, implemented } from "./index.js";
import { told } from "./stack.js";

const PASS = { tag: "pass" };
const EMPTY = Object.freeze([]);

let filter, hasStates;
/** Which fact is which, for each direction. */
const places = { request: new Map(), response: new Map() };
const states = new Map();

function stateOf(exchange) {
  if (!hasStates) return {};
  let state = states.get(exchange);
  if (!state) states.set(exchange, (state = {}));
  return state;
}

function described(error) {
  if (!(error instanceof Error)) return String(error);
  const isPlain = error.constructor === Error || error instanceof GatewayError;
  return (isPlain ? error.message : `${error.name}: ${error.message}`) + told(error);
}

/** An error of the interface is thrown as its payload. */
function faults(hook) {
  try {
    return hook();
  } catch (error) {
    throw described(error);
  }
}

const reply = ({ status, fields, body }) => ({ tag: "reply", val: { status, fields, body } });

/** Edits as the generated bindings have them. */
const edited = (edits) =>
  edits.map(({ tag, name, value }) => ({ tag, val: tag === "remove" ? name : { name, value: encode(value) } }));

/** What `build.mjs` puts in the place of a generated binding: it is handed where everything is. */
function head(hook, direction) {
  return (exchange, data, size, ends, count, out, memory, realloc, dealloc) => {
    try {
      const facts = liftFacts(places[direction], data, size, ends, count, memory, dealloc);
      const message = new Message(facts, stateOf(exchange), lookUp, exchange, direction);
      const answer = filter[hook](message);
      if (answer === undefined) lowerAction(out, FORWARD, message.edits, memory, realloc);
      else if (answer === HOLD) lowerAction(out, HOLDS, message.edits, memory, realloc);
      else if (answer instanceof Reply) lowerReply(out, answer, memory, realloc);
      else throw new TypeError("a head hook has returned what it cannot");
    } catch (error) {
      lowerFault(out, described(error), memory, realloc);
    }
  };
}

function body(hook, direction, exchange, piece, last) {
  return faults(() => {
    const message = new Message(Facts.none, stateOf(exchange), lookUp, exchange, direction);
    const answer = filter[hook](message, { content: piece, last });
    let action;
    if (answer === undefined) action = PASS;
    else if (answer === ABORT) action = { tag: "abort" };
    else if (answer instanceof Reply) action = reply(answer);
    else if (answer instanceof End) action = { tag: "end", val: answer.content };
    else if (typeof answer === "string" || answer instanceof Uint8Array) action = { tag: "replace", val: encode(answer) };
    else throw new TypeError("a body hook has returned what it cannot");
    return { action, release: message.released, edits: message.edits.length ? edited(message.edits) : EMPTY };
  });
}

function trailers(hook, direction, exchange, fields) {
  return faults(() => {
    const message = new Message(Facts.none, stateOf(exchange), lookUp, exchange, direction);
    const own = new Trailers(fields);
    const answer = filter[hook](message, own);
    let action;
    if (answer === undefined) action = PASS;
    else if (answer === ABORT) action = { tag: "abort" };
    else if (answer instanceof Reply) action = reply(answer);
    else throw new TypeError("a trailers hook has returned what it cannot");
    return { action, edits: edited(own.edits) };
  });
}

export const hooks = {
  configure(configuration) {
    return faults(() => {
      filter = new Author(JSON.parse(configuration));
      const wanted = filter.interest();
      const canonical = (names = []) => names.map((name) => (name.startsWith("@") ? name : name.toLowerCase()));
      const requestFacts = canonical(wanted.request);
      const responseFacts = canonical(wanted.response);
      places.request = new Map(requestFacts.map((name, place) => [name, place]));
      places.response = new Map(responseFacts.map((name, place) => [name, place]));
      const present = implemented(filter);
      // What is remembered of an exchange is given up at its end: by whoever is called more than once for one, as a body hook is.
      const isCalledAgain = present.requestBody || present.responseBody || Object.values(present).filter(Boolean).length > 1;
      present.exchangeEnd ||= isCalledAgain;
      hasStates = present.exchangeEnd;
      const mode = (whole) => (whole ? "whole" : "pieces");
      return {
        hooks: present,
        requestFacts,
        responseFacts,
        requestBody: mode(wanted.wholeRequestBody),
        responseBody: mode(wanted.wholeResponseBody),
        tickMs: wanted.tickMs ?? 0,
      };
    });
  },
  onRequestHead: head("onRequest", "request"),
  onResponseHead: head("onResponse", "response"),
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
