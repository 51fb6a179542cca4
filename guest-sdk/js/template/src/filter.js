/** Puts a stamp on every request that does not have one. */

import { Filter } from "tollgate-filter";

export default class Stamp extends Filter {
  constructor(config) {
    super();
    this.value = config.value;
  }

  interest() {
    return { request: ["x-stamp"] };
  }

  onRequest(request) {
    if (request.field("x-stamp") === undefined) request.set("x-stamp", this.value);
  }
}
