/** Three reads and one write: what the bench of languages measures in each of them. */

import { Filter } from "tollgate-filter";

export default class ThreeReads extends Filter {
  interest() {
    return { request: ["user-agent", "accept", "x-api-key"] };
  }

  onRequest(request) {
    request.set("x-out", `${request.field("user-agent")}${request.field("accept")}${request.field("x-api-key")}`);
  }
}
