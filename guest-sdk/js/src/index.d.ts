/** Filters for the Tollgate gateway. */

export * as callout from "./callout.js";
export * as clock from "./clock.js";
export * as limiter from "./limiter.js";
export * as log from "./log.js";
export * as metrics from "./metrics.js";
export * as random from "./random.js";
export * as secrets from "./secrets.js";
export * as store from "./store.js";

/** The gateway could not do what it was asked for. If a hook does not catch it, it is a fault, and its message what the operator reads. */
export class GatewayError extends Error {
  constructor(kind: string, message?: string);
  /** Which error it is, as the interface names it, such as `not-granted`. */
  readonly kind: string;
}

/** What a filter wants to see: names of header fields, and facts such as `:path` or `@client-address`, as the interface lists them. */
export interface Interest {
  request?: string[];
  response?: string[];
  /** Has the body hook called once, with the whole body. */
  wholeRequestBody?: boolean;
  wholeResponseBody?: boolean;
  /** Has `onTick` called every so many milliseconds, at least 100. */
  tickMs?: number;
}

/** Answers the client, or takes the response's place. */
export class Reply {
  constructor(status: number, body?: string | Uint8Array, fields?: Record<string, string | Uint8Array>);
  /** A problem document (RFC 9457). */
  static problem(status: number, title: string, detail?: string): Reply;
  /** Adds a header field, and returns the reply itself. */
  field(name: string, value: string | Uint8Array): this;
  readonly status: number;
}

/** These bytes go on, and the body ends with them. */
export class End {
  constructor(content: string | Uint8Array);
}

/** The head waits until the body hook lets it go: from head hooks. */
export const HOLD: unique symbol;
/** The exchange is cut: from body and trailers hooks. */
export const ABORT: unique symbol;

/** A piece of a body, or the whole. */
export interface Piece {
  readonly content: Uint8Array;
  readonly last: boolean;
}

interface Editable {
  /** Replaces every field of that name, or sets a fact. */
  set(name: string, value: string | Uint8Array): void;
  /** Appends a field and keeps those that are there. */
  add(name: string, value: string | Uint8Array): void;
  /** Removes every field of that name. */
  remove(name: string): void;
}

/** The message that a hook looks at. Reads show it as it was when the hook was called; edits go back with the answer. */
export interface Message<State = Record<string, unknown>> extends Editable {
  /** A header field or any other fact. Those that `interest` has not named, and all of them in body hooks, cost a call into the gateway,
   *  and need `"exchange"` among the imports of manifest.json. Several fields of one name come joined by `, `. */
  field(name: string): string | undefined;
  fieldBytes(name: string): Uint8Array | undefined;
  /** Lets a head go that this filter holds, before the last piece of its body. */
  release(): void;
  /** What the filter remembers of this exchange from hook to hook. */
  readonly state: State;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly status: number;
}

export type Request<State = Record<string, unknown>> = Message<State>;
export type Response<State = Record<string, unknown>> = Message<State>;

/** The trailers of a message. */
export interface Trailers extends Editable {
  readonly fields: { name: string; value: Uint8Array }[];
  field(name: string): string | undefined;
}

/** What hooks return; nothing lets the message go on. An error is a fault: the operator reads it. */
export type HeadAnswer = Reply | typeof HOLD | void;
export type BodyAnswer = string | Uint8Array | Reply | End | typeof ABORT | void;
export type TrailersAnswer = Reply | typeof ABORT | void;

/** A filter. Its constructor is given the policy's `[config]`; its methods are the hooks, and those that it does not have are not called. */
export abstract class Filter {
  interest(): Interest;
  onRequest?(request: Request<any>): HeadAnswer;
  onRequestBody?(request: Request<any>, piece: Piece): BodyAnswer;
  onRequestTrailers?(request: Request<any>, trailers: Trailers): TrailersAnswer;
  onResponse?(response: Response<any>): HeadAnswer;
  onResponseBody?(response: Response<any>, piece: Piece): BodyAnswer;
  onResponseTrailers?(response: Response<any>, trailers: Trailers): TrailersAnswer;
  onEnd?(state: Record<string, unknown>): void;
  onTick?(): void;
}

export function encode(value: string | Uint8Array): Uint8Array;
export function decode(value: Uint8Array): string;
/** One character for each byte, for what looks at bytes that need not be text; and back. */
export function decodeLatin1(bytes: Uint8Array): string;
export function encodeLatin1(text: string): Uint8Array;
/** SHA-256 (FIPS 180-4): there is no `crypto` in a filter. */
export function sha256(bytes: string | Uint8Array): Uint8Array;
/** Two hexadecimal digits a byte. */
export function hex(bytes: Uint8Array): string;
