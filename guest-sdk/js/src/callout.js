/** Requests of the filter's own; what everything means is in callout.d.ts. */

import gateway from "#gateway/callout";
import { failure } from "./gateway.js";
import { decode, encode } from "./text.js";

const REASONS = {
  "not-granted": "the policy was not granted this upstream",
  "too-many": "too many callouts",
  unavailable: "the upstream cannot take the callout now",
  connect: "the upstream cannot be connected to",
  timeout: "the upstream did not answer in time",
  broken: "the upstream gave no valid response",
  "too-large": "the callout has too much content",
};

export class Response {
  constructor(status, body = "", fields = []) {
    this.status = status;
    this.body = encode(body);
    const pairs = Array.isArray(fields) ? fields : Object.entries(fields).map(([name, value]) => ({ name, value }));
    this.fields = pairs.map(({ name, value }) => ({ name: name.toLowerCase(), value: encode(value) }));
  }

  field(name) {
    const found = this.fields.find((field) => field.name === name.toLowerCase());
    return found && decode(found.value);
  }

  json() {
    return JSON.parse(decode(this.body));
  }
}

export class Request {
  fields = [];

  constructor(upstream, path, { method = "GET", fields = {}, body = "", authority, timeoutMs, bodyLimit } = {}) {
    Object.assign(this, { upstream, path, method, authority, timeoutMs, bodyLimit, body: encode(body) });
    for (const [name, value] of Object.entries(fields)) this.field(name, value);
  }

  field(name, value) {
    this.fields.push({ name: name.toLowerCase(), value: encode(value) });
    return this;
  }

  send() {
    const [answer] = all([this]);
    if (answer instanceof Response) return answer;
    throw answer;
  }
}

export function all(requests) {
  const answers = gateway.sendAll(requests);
  return answers.map(({ tag, val }) => (tag === "ok" ? new Response(val.status, val.body, val.fields) : failure(REASONS, val)));
}
