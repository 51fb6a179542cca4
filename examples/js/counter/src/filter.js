/** Counts the requests of each client address, in the store that all workers share, and refuses those beyond a number. */

import { Filter, Reply, store } from "tollgate-filter";

export default class Counter extends Filter {
  constructor({ limit, window }) {
    super();
    if (!(limit >= 1)) throw new Error("limit: is missing or below 1; write how many requests may come in a window");
    if (!(window >= 1)) throw new Error("window: is missing or below 1; write the seconds of a window");
    this.limit = limit;
    this.windowMs = window * 1000;
  }

  interest() {
    return { request: ["@client-address"] };
  }

  onRequest(request) {
    // A store that cannot be used is a fault: what becomes of the request then is the policy's `on-fault`.
    const count = store.own().increment(`requests:${request.field("@client-address")}`, 1, this.windowMs);
    if (count > this.limit) return Reply.problem(429, "Too Many Requests");
    request.set("x-request-count", String(count));
  }
}
