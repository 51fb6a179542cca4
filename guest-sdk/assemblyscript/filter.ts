/** What an author writes. */

import { Answer, FORWARD } from "./answer";
import { Json } from "./json";
import { Request, Response, State, Trailers, canonical } from "./message";

/** The hooks that a filter wants to be called for, and what they are to see. What is not said here is not called. */
export class Interest {
  hooks: u8 = 0;
  requestFacts: string[] = [];
  responseFacts: string[] = [];
  wholeRequest: bool = false;
  wholeResponse: bool = false;
  tickMs: u32 = 0;

  /** `onRequest` is called and sees these. */
  request(facts: string[] = []): Interest {
    this.hooks |= 1;
    for (let i = 0; i < facts.length; i++) this.requestFacts.push(canonical(facts[i]));
    return this;
  }

  /** `onRequestBody` is called: for each piece, or once for the whole. */
  requestBody(whole: bool = false): Interest {
    this.hooks |= 2;
    this.wholeRequest = whole;
    return this;
  }

  requestTrailers(): Interest {
    this.hooks |= 4;
    return this;
  }

  /** `onResponse` is called and sees these. */
  response(facts: string[] = []): Interest {
    this.hooks |= 8;
    for (let i = 0; i < facts.length; i++) this.responseFacts.push(canonical(facts[i]));
    return this;
  }

  /** `onResponseBody` is called: for each piece, or once for the whole. */
  responseBody(whole: bool = false): Interest {
    this.hooks |= 16;
    this.wholeResponse = whole;
    return this;
  }

  responseTrailers(): Interest {
    this.hooks |= 32;
    return this;
  }

  /** The filter keeps state for an exchange, and `onEnd` is called with it. */
  state(): Interest {
    this.hooks |= 64;
    return this;
  }

  /** `onTick` is called every so many milliseconds. */
  every(milliseconds: u32): Interest {
    this.tickMs = milliseconds;
    return this;
  }
}

/** A filter: override what is needed, and name it in `interest`. */
export class Filter {
  /** Takes in the policy's `[config]`. What is wrong is told with the key and the remedy, and refuses the configuration. */
  configure(config: Json): string | null {
    return null;
  }

  interest(): Interest {
    return new Interest();
  }

  onRequest(request: Request): Answer {
    return FORWARD;
  }

  onRequestBody(request: Request, piece: Uint8Array, last: bool): Answer {
    return FORWARD;
  }

  onRequestTrailers(trailers: Trailers): Answer {
    return FORWARD;
  }

  onResponse(response: Response): Answer {
    return FORWARD;
  }

  onResponseBody(response: Response, piece: Uint8Array, last: bool): Answer {
    return FORWARD;
  }

  onResponseTrailers(trailers: Trailers): Answer {
    return FORWARD;
  }

  onEnd(state: State | null): void {}

  /** Why it has failed, or nothing. */
  onTick(): string | null {
    return null;
  }
}

let installed: Filter = new Filter();

/** Says which filter this module is. */
export function install(filter: Filter): void {
  installed = filter;
}

export function theFilter(): Filter {
  return installed;
}
