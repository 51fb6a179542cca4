/** Lets requests through that an authorization service allows, and says nothing to those that it does not know. */

import { Filter, Reply, callout } from "tollgate-filter";

/** What a client who is refused gets to see of the service's answer. */
const SHOWN = ["www-authenticate", "location"];

function refusal(status) {
  if (status === 401) return Reply.problem(401, "Unauthorized");
  if (status === 403) return Reply.problem(403, "Forbidden");
  if (status === 302 || status === 303) return new Reply(status);
  throw new Error(`the authorization service answered ${status}`);
}

export default class CalloutAuth extends Filter {
  constructor({ upstream, path = "/", fields = ["authorization", "cookie"], consumer, "timeout-ms": timeoutMs = 500 }) {
    super();
    this.upstream = upstream;
    this.path = path;
    this.fields = fields.map((name) => name.toLowerCase());
    this.consumer = consumer;
    this.timeoutMs = timeoutMs;
  }

  interest() {
    return { request: [":method", ":path", ...this.fields] };
  }

  onRequest(request) {
    // A service that does not answer is a fault: what becomes of the request then is the policy's `on-fault`.
    const verdict = this.question(request).send();
    if (verdict.status >= 200 && verdict.status < 300) {
      const consumer = this.consumer && verdict.field(this.consumer);
      if (consumer !== undefined) request.set("@consumer", consumer);
      return;
    }
    const reply = refusal(verdict.status);
    for (const name of SHOWN) {
      const value = verdict.field(name);
      if (value !== undefined) reply.field(name, value);
    }
    return reply;
  }

  question(request) {
    const question = new callout.Request(this.upstream, this.path, { timeoutMs: this.timeoutMs });
    question.field("x-original-method", request.method).field("x-original-path", request.path);
    for (const name of this.fields) {
      const value = request.fieldBytes(name);
      if (value !== undefined) question.field(name, value);
    }
    return question;
  }
}
