/** Requests of the filter's own, to upstreams that the policy grants (`grants.callouts`). A call stands still until the answer is there. */

import { RESULT, Span, bytesAt, textAt } from "./memory";
import { Field, fieldsAt, fieldsOf } from "./message";

@external("tollgate:filter/callout@0.1.0", "send-all")
declare function sendAll(requests: usize, count: usize, result: usize): void;

/** A request to an upstream. */
export class Callout {
  method: string = "GET";
  fields: Field[] = [];
  content: Uint8Array = new Uint8Array(0);
  /** Milliseconds; 0 for what the policy says. */
  timeoutMs: u32 = 0;

  constructor(
    readonly upstream: string,
    readonly path: string,
  ) {}

  field(name: string, value: string): Callout {
    this.fields.push(Field.of(name.toLowerCase(), value));
    return this;
  }

  send(): CalloutResponse {
    const list = Span.ofList(1, 68);
    memory.fill(list.at, 0, 68);
    Span.ofText(this.upstream).put(list.at);
    Span.ofText(this.method).put(list.at + 8);
    Span.ofText(this.path).put(list.at + 16);
    fieldsOf(this.fields).put(list.at + 36);
    Span.ofBytes(this.content).put(list.at + 44);
    if (this.timeoutMs) {
      store<u8>(list.at + 52, 1);
      store<u32>(list.at + 56, this.timeoutMs);
    }
    sendAll(list.at, 1, RESULT);
    return CalloutResponse.at(load<usize>(RESULT));
  }
}

const ERRORS = ["not granted", "invalid", "too many", "unavailable", "no connection", "not in time", "broken", "too large"];

/** The answer to one, or why there is none. */
export class CalloutResponse {
  status: u16 = 0;
  fields: Field[] = [];
  content: Uint8Array = new Uint8Array(0);
  /** Why there is no answer, or nothing. */
  error: string | null = null;

  static at(place: usize): CalloutResponse {
    const response = new CalloutResponse();
    if (load<u8>(place)) {
      response.error = ERRORS[load<u8>(place + 4)];
      return response;
    }
    response.status = load<u16>(place + 4);
    response.fields = fieldsAt(load<usize>(place + 8), load<usize>(place + 12));
    response.content = bytesAt(load<usize>(place + 16), load<usize>(place + 20));
    return response;
  }

  field(name: string): string | null {
    for (let i = 0; i < this.fields.length; i++) if (this.fields[i].name == name.toLowerCase()) return this.fields[i].value;
    return null;
  }

  get text(): string {
    return textAt(this.content.dataStart, this.content.byteLength);
  }
}
