/** A stand-in of the gateway, for tests that run where they are written; what everything means is in testing.d.ts. */

import { ABORT, End, HOLD, Message, Reply, decode, encode } from "./index.js";
import { Facts } from "./facts.js";
import { Offers } from "./offers.js";

export class TestGateway {
  constructor(Kind, config, offers) {
    this.offers = new Offers(offers);
    this.filter = new Kind(config);
    this.interest = this.filter.interest();
  }

  request({ method = "GET", path = "/", fields = {}, pieces = [], response = {} } = {}) {
    const state = {};
    const exchange = {};
    const facts = { ":method": method, ":path": path, ":authority": "example.test", ":scheme": "http", "@client-address": "192.0.2.1" };
    const request = this.#pass("Request", headOf({ ...facts, ...fields }), pieces, state, this.interest.wholeRequestBody);
    exchange.forwarded = request.head;
    exchange.requestBody = request.body;
    exchange.reply = request.reply;
    if (!exchange.reply) {
      const { status = 200, fields = {}, pieces = [] } = response;
      const head = headOf({ ":status": String(status), ...fields });
      const back = this.#pass("Response", head, pieces, state, this.interest.wholeResponseBody);
      Object.assign(exchange, { response: back.head, responseBody: back.body, reply: back.reply });
    }
    this.filter.onEnd?.(state);
    return exchange;
  }

  #pass(direction, head, pieces, state, whole) {
    const answerOf = (hook, ...more) => {
      const message = new Message(Facts.of(head), state, () => undefined);
      const answer = this.filter[hook]?.(message, ...more);
      message.edits.forEach((edit) => apply(head, edit));
      return answer;
    };
    const end = (reply, body = "") => ({ reply, body, head: Object.fromEntries([...head].map(([name, value]) => [name, decode(value)])) });
    const first = answerOf(`on${direction}`);
    if (first instanceof Reply) return end(first);
    if (first !== undefined && first !== HOLD) throw new TypeError("a head hook has returned what it cannot");
    let bodies = pieces.map(encode);
    if (whole && bodies.length) bodies = [encode(bodies.map(decode).join(""))];
    if (!bodies.length && first === HOLD) bodies = [new Uint8Array()];
    let body = "";
    for (const [number, content] of bodies.entries()) {
      const answer = answerOf(`on${direction}Body`, { content, last: number + 1 === bodies.length });
      if (answer instanceof Reply) return end(answer);
      if (answer === ABORT) throw new Error("the filter has cut the exchange");
      body += decode(answer instanceof End ? answer.content : encode(answer ?? content));
      if (answer instanceof End) break;
    }
    return end(undefined, body);
  }
}

const headOf = (fields) => new Map(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), encode(value)]));

function apply(head, { tag, name, value }) {
  if (tag === "remove") head.delete(name);
  else if (tag === "add" && head.has(name)) head.set(name, encode(`${decode(head.get(name))}, ${decode(encode(value))}`));
  else head.set(name, encode(value));
}
