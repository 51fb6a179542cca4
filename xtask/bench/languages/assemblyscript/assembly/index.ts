/** Three reads and one write: what the bench of languages measures in each of them. */

import { Answer, FORWARD, Filter, Interest, Request, install } from "tollgate-filter";

class ThreeReads extends Filter {
  interest(): Interest {
    return new Interest().request(["user-agent", "accept", "x-api-key"]);
  }

  onRequest(request: Request): Answer {
    request.set("x-out", read(request, "user-agent") + read(request, "accept") + read(request, "x-api-key"));
    return FORWARD;
  }
}

function read(request: Request, name: string): string {
  const value = request.field(name);
  return value === null ? "" : value;
}

install(new ThreeReads());
