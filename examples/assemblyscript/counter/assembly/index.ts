/** Counts the requests of each client address, in the store that all workers share, and refuses those beyond a number. */

import { Answer, FORWARD, Fault, Filter, Interest, Json, Reply, Request, Space, StoreError, install } from "tollgate-filter";

class Counter extends Filter {
  limit: i64 = 0;
  windowMs: u64 = 0;
  space: Space = new Space();

  configure(config: Json): string | null {
    this.limit = <i64>config.get("limit").number;
    this.windowMs = <u64>config.get("window").number * 1000;
    if (this.limit < 1) return "limit: is missing or below 1; write how many requests may come in a window";
    return this.windowMs ? null : "window: is missing or below 1; write the seconds of a window";
  }

  interest(): Interest {
    return new Interest().request(["@client-address"]);
  }

  onRequest(request: Request): Answer {
    // A store that cannot be used is a fault: what becomes of the request then is the policy's `on-fault`.
    const count = this.space.increment(`requests:${request.field("@client-address")!}`, 1, this.windowMs);
    if (this.space.error != StoreError.None) return new Fault("the requests cannot be counted");
    if (count > this.limit) return Reply.problem(429, "Too Many Requests");
    request.set("x-request-count", count.toString());
    return FORWARD;
  }
}

install(new Counter());
