/** Lets requests through that an authorization service allows, and says nothing to those that it does not know. */

import { Answer, Callout, FORWARD, Fault, Field, Filter, Interest, Json, Reply, Request, install } from "tollgate-filter";

/** What a client who is refused gets to see of the service's answer. */
const SHOWN = ["www-authenticate", "location"];

class CalloutAuth extends Filter {
  upstream: string = "";
  path: string = "/";
  fields: string[] = ["authorization", "cookie"];
  consumer: string = "";
  timeoutMs: u32 = 500;

  configure(config: Json): string | null {
    this.upstream = config.get("upstream").text;
    this.path = config.get("path").textOr("/");
    this.consumer = config.get("consumer").text;
    this.timeoutMs = <u32>config.get("timeout-ms").numberOr(500);
    const fields = config.get("fields");
    if (fields.isThere) this.fields = fields.items.map<string>((name) => name.text.toLowerCase());
    return this.upstream.length ? null : "upstream: is missing; write the name of the authorization service";
  }

  interest(): Interest {
    return new Interest().request([":method", ":path"].concat(this.fields));
  }

  onRequest(request: Request): Answer {
    // A service that does not answer is a fault: what becomes of the request then is the policy's `on-fault`.
    const verdict = this.question(request).send();
    const error = verdict.error;
    if (error) return new Fault(`the authorization service: ${error}`);
    if (verdict.status >= 200 && verdict.status < 300) {
      const consumer = this.consumer.length ? verdict.field(this.consumer) : null;
      if (consumer) request.set("@consumer", consumer);
      return FORWARD;
    }
    const reply = refusal(verdict.status);
    if (!reply) return new Fault(`the authorization service answered ${verdict.status}`);
    for (let i = 0; i < SHOWN.length; i++) {
      const value = verdict.field(SHOWN[i]);
      if (value) reply.field(SHOWN[i], value);
    }
    return reply;
  }

  question(request: Request): Callout {
    const question = new Callout(this.upstream, this.path).field("x-original-method", request.method).field("x-original-path", request.path);
    question.timeoutMs = this.timeoutMs;
    for (let i = 0; i < this.fields.length; i++) {
      const value = request.fieldBytes(this.fields[i]);
      if (value) question.fields.push(new Field(this.fields[i], value));
    }
    return question;
  }
}

function refusal(status: u16): Reply | null {
  if (status == 401) return Reply.problem(401, "Unauthorized");
  if (status == 403) return Reply.problem(403, "Forbidden");
  if (status == 302 || status == 303) return new Reply(status);
  return null;
}

install(new CalloutAuth());
