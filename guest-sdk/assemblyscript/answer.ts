/** What hooks answer. */

import { Field } from "./message";
import { quoted } from "./json";
import { bytesOf } from "./text";

export enum Action {
  Forward,
  Hold,
  Reply,
  Replace,
  End,
  Abort,
  Fault,
}

/** What becomes of a message. */
export class Answer {
  constructor(readonly action: Action) {}
}

/** It goes on. Of a body: the piece goes on as it is. */
export const FORWARD = new Answer(Action.Forward);
/** The head waits until the body hook lets it go: from head hooks. */
export const HOLD = new Answer(Action.Hold);
/** The exchange is cut: from body and trailers hooks. */
export const ABORT = new Answer(Action.Abort);

/** It ends here, and the client gets this. */
export class Reply extends Answer {
  fields: Field[] = [];
  content: Uint8Array;

  constructor(
    readonly status: u16,
    body: string = "",
  ) {
    super(Action.Reply);
    this.content = bytesOf(body);
  }

  /** A document about what is wrong (RFC 9457). */
  static problem(status: u16, title: string, detail: string = ""): Reply {
    let text = `{"status":${status},"title":${quoted(title)}`;
    if (detail.length) text += `,"detail":${quoted(detail)}`;
    return new Reply(status, text + "}").field("content-type", "application/problem+json");
  }

  field(name: string, value: string): Reply {
    this.fields.push(Field.of(name.toLowerCase(), value));
    return this;
  }

  /** Bytes in the place of text. */
  body(content: Uint8Array): Reply {
    this.content = content;
    return this;
  }
}

/** Something else goes on in the place of a piece of a body. */
export class Replace extends Answer {
  constructor(readonly content: Uint8Array) {
    super(Action.Replace);
  }

  static text(content: string): Replace {
    return new Replace(bytesOf(content));
  }
}

/** The body ends with this. */
export class End extends Answer {
  constructor(readonly content: Uint8Array) {
    super(Action.End);
  }
}

/** The filter has failed: the log says why, and the client gets what the policy's `on-fault` says. */
export class Fault extends Answer {
  constructor(readonly reason: string) {
    super(Action.Fault);
  }
}
