/** Requests of the filter's own, to upstreams that its policy was granted (`grants.callouts`). Needs `"callout"` among the imports of
 *  manifest.json. A call looks as if it blocked: the hook stands still until the response is there, and the gateway serves others
 *  meanwhile. Not possible in the constructor of a filter and in `onEnd`. */

import type { GatewayError } from "./index.js";

/** A response, whatever its status. */
export class Response {
  constructor(status: number, body?: string | Uint8Array, fields?: Record<string, string | Uint8Array>);
  readonly status: number;
  readonly body: Uint8Array;
  readonly fields: { name: string; value: Uint8Array }[];
  /** The first header field of that name. */
  field(name: string): string | undefined;
  /** What its content says as JSON. */
  json(): any;
}

/** A request to an upstream; nothing happens before it is sent. */
export class Request {
  constructor(
    upstream: string,
    path: string,
    more?: {
      method?: string;
      fields?: Record<string, string | Uint8Array>;
      body?: string | Uint8Array;
      authority?: string;
      timeoutMs?: number;
      bodyLimit?: number;
    },
  );
  readonly upstream: string;
  readonly path: string;
  readonly method: string;
  readonly fields: { name: string; value: Uint8Array }[];
  readonly body: Uint8Array;
  /** Appends a header field, and returns the request itself. */
  field(name: string, value: string | Uint8Array): this;
  /** Sends it and waits for the whole response. Throws a `GatewayError` if there is none: `not-granted`, `invalid`, `too-many`,
   *  `unavailable`, `connect`, `timeout`, `broken` or `too-large`. */
  send(): Response;
}

/** Sends all requests at once, and waits for all of them: the answers come in the order of the requests. At most 16; of more, none is
 *  sent. */
export function all(requests: Request[]): (Response | GatewayError)[];
