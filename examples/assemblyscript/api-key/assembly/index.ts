/** Knows consumers by their API keys: a request with a known key goes on as its consumer's, any other is answered. */

import { Answer, FORWARD, Filter, Interest, Json, Reply, Request, hex, install, sha256 } from "tollgate-filter";

class ApiKey extends Filter {
  header: string = "";
  consumers: Map<string, string> = new Map();

  configure(config: Json): string | null {
    this.header = config.get("header").textOr("x-api-key").toLowerCase();
    const keys = config.get("keys").items;
    // The schema in the manifest has it that there are some, and that digests are digests.
    // Whoever measures how a digest is looked up knows that of the key that they sent anyway.
    for (let i = 0; i < keys.length; i++) this.consumers.set(keys[i].get("sha256").text.toLowerCase(), keys[i].get("consumer").text);
    return keys.length ? null : "keys: is empty, so nobody could pass; add `consumer` and `sha256` of a key";
  }

  interest(): Interest {
    return new Interest().request([this.header]);
  }

  onRequest(request: Request): Answer {
    const key = request.fieldBytes(this.header);
    if (!key) return this.refuse(`Send an API key in the header \`${this.header}\`.`);
    const digest = hex(sha256(key));
    if (!this.consumers.has(digest)) return this.refuse("The API key is not known.");
    request.set("@subject", this.consumers.get(digest));
    request.remove(this.header);
    return FORWARD;
  }

  refuse(detail: string): Answer {
    return Reply.problem(401, "Unauthorized", detail).field("www-authenticate", `ApiKey in="header", name="${this.header}"`);
  }
}

install(new ApiKey());
