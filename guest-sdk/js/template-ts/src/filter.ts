/** Puts a stamp on every request that does not have one. */

import { Filter, type HeadAnswer, type Interest, type Request } from "tollgate-filter";

/** The `[config]` of the policy, as the schema in manifest.json has it. */
interface Config {
  value: string;
}

export default class Stamp extends Filter {
  constructor(private readonly config: Config) {
    super();
  }

  interest(): Interest {
    return { request: ["x-stamp"] };
  }

  onRequest(request: Request): HeadAnswer {
    if (request.field("x-stamp") === undefined) request.set("x-stamp", this.config.value);
  }
}
