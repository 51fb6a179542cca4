/** Knows consumers by their API keys: a request with a known key goes on as its consumer's, any other is answered. */

import { Filter, Reply, hex, sha256 } from "tollgate-filter";

export default class ApiKey extends Filter {
  constructor({ header = "x-api-key", keys = [] }) {
    super();
    this.header = header.toLowerCase();
    this.consumers = new Map();
    keys.forEach((key, number) => {
      if (!/^[0-9a-f]{64}$/i.test(key.sha256)) {
        throw new Error(`keys[${number}].sha256: is no digest; write what \`printf %s KEY | sha256sum\` prints`);
      }
      // Whoever measures how a digest is looked up knows that of the key that they sent anyway.
      this.consumers.set(key.sha256.toLowerCase(), key.consumer);
    });
    if (!this.consumers.size) throw new Error("keys: is empty, so nobody could pass; add `consumer` and `sha256` of a key");
  }

  interest() {
    return { request: [this.header] };
  }

  onRequest(request) {
    const key = request.fieldBytes(this.header);
    if (key === undefined) return this.refuse(`Send an API key in the header \`${this.header}\`.`);
    const consumer = this.consumers.get(hex(sha256(key)));
    if (consumer === undefined) return this.refuse("The API key is not known.");
    request.set("@subject", consumer);
    request.remove(this.header);
  }

  refuse(detail) {
    const challenge = `ApiKey in="header", name="${this.header}"`;
    return Reply.problem(401, "Unauthorized", detail).field("www-authenticate", challenge);
  }
}
