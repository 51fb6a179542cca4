import type { Filter, GatewayError, Reply, callout } from "./index.js";

/** What a filter finds of the gateway, and what it has left there. Tests read and change it. */
export interface Offers {
  /** Milliseconds since 1970, for the clock and for times to live; it stands still unless a test changes it. */
  time: number;
  /** Values by key in the policy's own space, and by `SPACE/KEY` in others. */
  stored: Map<string, string>;
  /** Shared spaces that the policy is granted. */
  spaces: Set<string>;
  answerCallout(request: callout.Request): callout.Response | GatewayError;
  /** The callouts that were made. */
  callouts: callout.Request[];
  logged: { level: string; message: string; attributes: Record<string, string> }[];
  secrets: Record<string, string>;
  /** What the limiter says. */
  allowed: boolean;
  /** By name, with labels behind it; of a histogram the sum. */
  metrics: Record<string, number>;
}

/** What became of an exchange. */
export interface Exchange {
  reply?: Reply;
  /** The request's fields, and facts, as the upstream gets them. */
  forwarded: Record<string, string>;
  requestBody: string;
  response?: Record<string, string>;
  responseBody?: string;
}

/** A configured filter. It knows heads and bodies, and, in `offers`, a little of what the gateway offers besides. */
export class TestGateway<Config> {
  constructor(kind: new (config: Config) => Filter, config: Config, offers?: Partial<Offers>);
  readonly offers: Offers;
  request(request?: {
    method?: string;
    path?: string;
    fields?: Record<string, string>;
    pieces?: string[];
    response?: { status?: number; fields?: Record<string, string>; pieces?: string[] };
  }): Exchange;
}
