/** The exports. `tollgate filter build` gives them the names that the interface has. */

import { Action, Answer, End, Fault, Replace, Reply } from "./answer";
import { theFilter } from "./filter";
import { Json } from "./json";
import { ANSWER, INBOX, Span, begin, bytesAt, end, realloc, textAt } from "./memory";
import { Edit, Message, Request, Response, Trailers, endState, fieldsAt, fieldsOf } from "./message";

export const inbox: usize = INBOX;

export function cabi_realloc(before: usize, had: usize, alignment: usize, size: usize): usize {
  return realloc(before, had, alignment, size);
}

let requestFacts: string[] = [];
let responseFacts: string[] = [];
const NONE: string[] = [];

export function configure(place: usize, length: usize): usize {
  begin();
  const told = theFilter().configure(Json.parse(textAt(place, length)));
  if (told) return fail(told);
  const interest = theFilter().interest();
  requestFacts = interest.requestFacts;
  responseFacts = interest.responseFacts;
  store<u8>(ANSWER, 0);
  store<u8>(ANSWER + 4, interest.hooks);
  names(requestFacts).put(ANSWER + 8);
  names(responseFacts).put(ANSWER + 16);
  store<u8>(ANSWER + 24, interest.wholeRequest ? 1 : 0);
  store<u8>(ANSWER + 25, interest.wholeResponse ? 1 : 0);
  store<u32>(ANSWER + 28, interest.tickMs);
  return end();
}

export function on_request_head(exchange: u32, data: usize, length: usize, ends: usize, count: usize): usize {
  begin();
  const request = new Request(exchange, 0, requestFacts, data, ends);
  return head(theFilter().onRequest(request), request);
}

export function on_response_head(exchange: u32, data: usize, length: usize, ends: usize, count: usize): usize {
  begin();
  const response = new Response(exchange, 1, responseFacts, data, ends);
  return head(theFilter().onResponse(response), response);
}

export function on_request_body(exchange: u32, piece: usize, length: usize, last: bool): usize {
  begin();
  const request = new Request(exchange, 0, NONE, 0, 0);
  return body(theFilter().onRequestBody(request, bytesAt(piece, length), last), request);
}

export function on_response_body(exchange: u32, piece: usize, length: usize, last: bool): usize {
  begin();
  const response = new Response(exchange, 1, NONE, 0, 0);
  return body(theFilter().onResponseBody(response, bytesAt(piece, length), last), response);
}

export function on_request_trailers(exchange: u32, fields: usize, count: usize): usize {
  begin();
  const seen = new Trailers(fieldsAt(fields, count));
  return trailers(theFilter().onRequestTrailers(seen), seen);
}

export function on_response_trailers(exchange: u32, fields: usize, count: usize): usize {
  begin();
  const seen = new Trailers(fieldsAt(fields, count));
  return trailers(theFilter().onResponseTrailers(seen), seen);
}

export function on_exchange_end(exchange: u32): void {
  begin();
  theFilter().onEnd(endState(exchange));
  end();
}

export function on_tick(): usize {
  begin();
  const told = theFilter().onTick();
  if (told) return fail(told);
  store<u8>(ANSWER, 0);
  return end();
}

const CANNOT = "the hook has returned what a hook of its kind cannot";

function head(answer: Answer, message: Message): usize {
  switch (answer.action) {
    case Action.Forward:
      return give(0, message.edits, 28);
    case Action.Hold:
      return give(1, message.edits, 28);
    case Action.Reply:
      return reply(2, <Reply>answer, 28);
    case Action.Fault:
      return fail((<Fault>answer).reason);
    default:
      return fail(CANNOT);
  }
}

function body(answer: Answer, message: Message): usize {
  store<u8>(ANSWER + 28, message.released ? 1 : 0);
  switch (answer.action) {
    case Action.Forward:
      return give(0, message.edits, 32);
    case Action.Replace:
      Span.ofBytes((<Replace>answer).content).put(ANSWER + 8);
      return give(1, message.edits, 32);
    case Action.Reply:
      return reply(2, <Reply>answer, 32);
    case Action.End:
      Span.ofBytes((<End>answer).content).put(ANSWER + 8);
      return give(3, message.edits, 32);
    case Action.Abort:
      return give(4, message.edits, 32);
    case Action.Fault:
      return fail((<Fault>answer).reason);
    default:
      return fail(CANNOT);
  }
}

function trailers(answer: Answer, message: Trailers): usize {
  switch (answer.action) {
    case Action.Forward:
      return give(0, message.edits, 28);
    case Action.Reply:
      return reply(1, <Reply>answer, 28);
    case Action.Abort:
      return give(2, message.edits, 28);
    case Action.Fault:
      return fail((<Fault>answer).reason);
    default:
      return fail(CANNOT);
  }
}

function give(action: u8, edits: Edit[], offset: usize): usize {
  store<u8>(ANSWER, 0);
  store<u8>(ANSWER + 4, action);
  const list = Span.ofList(edits.length, 20);
  for (let i = 0; i < edits.length; i++) {
    const at = list.at + 20 * <usize>i;
    store<u32>(at, edits[i].kind);
    Span.ofText(edits[i].name).put(at + 4);
    Span.ofBytes(edits[i].value).put(at + 12);
  }
  list.put(ANSWER + offset);
  return end();
}

function reply(action: u8, reply: Reply, offset: usize): usize {
  store<u16>(ANSWER + 8, reply.status);
  fieldsOf(reply.fields).put(ANSWER + 12);
  Span.ofBytes(reply.content).put(ANSWER + 20);
  return give(action, [], offset);
}

function fail(reason: string): usize {
  store<u8>(ANSWER, 1);
  Span.ofText(reason).put(ANSWER + 4);
  return end();
}

function names(names: string[]): Span {
  const list = Span.ofList(names.length, 8);
  for (let i = 0; i < names.length; i++) Span.ofText(names[i]).put(list.at + 8 * <usize>i);
  return list;
}
