/** Puts the header `x-stamp` on every request that does not have one. */

import { Answer, FORWARD, Filter, Interest, Json, Request, install } from "tollgate-filter";

class Stamp extends Filter {
  value: string = "";

  configure(config: Json): string | null {
    this.value = config.get("value").text;
    return null;
  }

  interest(): Interest {
    return new Interest().request(["x-stamp"]);
  }

  onRequest(request: Request): Answer {
    if (!request.field("x-stamp")) request.set("x-stamp", this.value);
    return FORWARD;
  }
}

install(new Stamp());
