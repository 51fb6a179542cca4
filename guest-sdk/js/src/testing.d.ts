import type { Filter, Reply } from "./index.js";

/** What became of an exchange. */
export interface Exchange {
  reply?: Reply;
  /** The request's fields, and facts, as the upstream gets them. */
  forwarded: Record<string, string>;
  requestBody: string;
  response?: Record<string, string>;
  responseBody?: string;
}

/** A configured filter. It knows heads and bodies, and nothing of what the gateway offers besides. */
export class TestGateway<Config> {
  constructor(kind: new (config: Config) => Filter, config: Config);
  request(request?: {
    method?: string;
    path?: string;
    fields?: Record<string, string>;
    pieces?: string[];
    response?: { status?: number; fields?: Record<string, string>; pieces?: string[] };
  }): Exchange;
}
