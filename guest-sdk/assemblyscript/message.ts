/** The messages that hooks look at. */

import { RESULT, Span, bytesAt, textAt } from "./memory";
import { bytesOf } from "./text";

export const ABSENT: u32 = 0xffffffff;

@external("tollgate:filter/exchange@0.1.0", "get")
declare function exchangeGet(exchange: u32, message: u32, name: usize, length: usize, result: usize): void;
@external("tollgate:filter/exchange@0.1.0", "get-all")
declare function exchangeGetAll(exchange: u32, message: u32, name: usize, length: usize, result: usize): void;
@external("tollgate:filter/exchange@0.1.0", "fields")
declare function exchangeFields(exchange: u32, message: u32, result: usize): void;

/** A name and a value. */
export class Field {
  constructor(
    readonly name: string,
    readonly bytes: Uint8Array,
  ) {}

  static of(name: string, value: string): Field {
    return new Field(name, bytesOf(value));
  }

  get value(): string {
    return textAt(this.bytes.dataStart, this.bytes.byteLength);
  }
}

export class Edit {
  constructor(
    readonly kind: u32,
    readonly name: string,
    readonly value: Uint8Array,
  ) {}
}

/** What a filter keeps of an exchange extends this. */
export class State {}

const states = new Map<u32, State>();

/** The state of an exchange that ends. */
export function endState(exchange: u32): State | null {
  if (!states.has(exchange)) return null;
  const state = states.get(exchange);
  states.delete(exchange);
  return state;
}

/** Facts keep their names as they are, and fields are in lower case. */
export function canonical(name: string): string {
  return name.startsWith("@") ? name : name.toLowerCase();
}

/** What can be changed. */
export class Editable {
  edits: Edit[] = [];

  /** Replaces every field of that name by this one. */
  set(name: string, value: string): void {
    this.setBytes(name, bytesOf(value));
  }

  setBytes(name: string, value: Uint8Array): void {
    this.edits.push(new Edit(0, canonical(name), value));
  }

  /** Appends a field and keeps those that are there. */
  add(name: string, value: string): void {
    this.edits.push(new Edit(1, canonical(name), bytesOf(value)));
  }

  /** Removes every field of that name. Nothing happens if there is none. */
  remove(name: string): void {
    this.edits.push(new Edit(2, canonical(name), new Uint8Array(0)));
  }
}

/** A head, and in body hooks what can still be done about it. */
export class Message extends Editable {
  released: bool = false;

  constructor(
    readonly exchange: u32,
    readonly direction: u32,
    private names: string[],
    private data: usize,
    private ends: usize,
  ) {
    super();
  }

  /** A header field, or any other fact that the interest names; `null` if it is not there. Several fields of one name are joined. */
  field(name: string): string | null {
    const place = this.place(name);
    return place < 0 ? null : textAt(this.data + this.start(place), this.stop(place) - this.start(place));
  }

  /** The same as bytes. */
  fieldBytes(name: string): Uint8Array | null {
    const place = this.place(name);
    return place < 0 ? null : bytesAt(this.data + this.start(place), this.stop(place) - this.start(place));
  }

  /** Any field or fact, whether the interest names it or not. Calls the gateway. */
  lookUp(name: string): string | null {
    return lookUp(this.exchange, this.direction, name);
  }

  /** A fact of the request, in hooks of the response. Calls the gateway. */
  lookUpRequest(name: string): string | null {
    return lookUp(this.exchange, 0, name);
  }

  /** The values of all fields of that name, in order. Calls the gateway. */
  values(name: string): string[] {
    const wanted = Span.ofText(canonical(name));
    exchangeGetAll(this.exchange, this.direction, wanted.at, wanted.length, RESULT);
    const list = load<usize>(RESULT);
    const values: string[] = [];
    for (let i: usize = 0; i < load<usize>(RESULT + 4); i++) values.push(textAt(load<usize>(list + 8 * i), load<usize>(list + 8 * i + 4)));
    return values;
  }

  /** All fields, in order. Calls the gateway. */
  fields(): Field[] {
    exchangeFields(this.exchange, this.direction, RESULT);
    return fieldsAt(load<usize>(RESULT), load<usize>(RESULT + 4));
  }

  /** Lets a head go that this filter holds. */
  release(): void {
    this.released = true;
  }

  /** What the filter keeps of this exchange, if its interest says that it does. */
  get state(): State | null {
    return states.has(this.exchange) ? states.get(this.exchange) : null;
  }

  set state(state: State | null) {
    if (state) states.set(this.exchange, state);
    else states.delete(this.exchange);
  }

  private place(name: string): i32 {
    const place = this.names.indexOf(canonical(name));
    if (place < 0) throw new Error(`${name} is not in the interest of the filter; name it there, or use lookUp, as body hooks have to`);
    return load<u32>(this.ends + 4 * <usize>place) == ABSENT ? -1 : place;
  }

  private stop(place: i32): usize {
    return load<u32>(this.ends + 4 * <usize>place);
  }

  private start(place: i32): usize {
    for (let i = place - 1; i >= 0; i--) if (load<u32>(this.ends + 4 * <usize>i) != ABSENT) return load<u32>(this.ends + 4 * <usize>i);
    return 0;
  }
}

export class Request extends Message {
  get method(): string {
    return this.field(":method") || "";
  }

  get path(): string {
    return this.field(":path") || "";
  }
}

export class Response extends Message {
  get status(): i32 {
    return I32.parseInt(this.field(":status") || "");
  }
}

export class Trailers extends Editable {
  constructor(readonly fields: Field[]) {
    super();
  }

  field(name: string): string | null {
    for (let i = 0; i < this.fields.length; i++) if (this.fields[i].name == name.toLowerCase()) return this.fields[i].value;
    return null;
  }
}

function lookUp(exchange: u32, direction: u32, name: string): string | null {
  const wanted = Span.ofText(canonical(name));
  exchangeGet(exchange, direction, wanted.at, wanted.length, RESULT);
  return load<u8>(RESULT) ? textAt(load<usize>(RESULT + 4), load<usize>(RESULT + 8)) : null;
}

export function fieldsAt(place: usize, count: usize): Field[] {
  const fields: Field[] = [];
  for (let i: usize = 0; i < count; i++) {
    const at = place + 16 * i;
    fields.push(new Field(textAt(load<usize>(at), load<usize>(at + 4)), bytesAt(load<usize>(at + 8), load<usize>(at + 12))));
  }
  return fields;
}

/** A list of fields as the interface has it. */
export function fieldsOf(fields: Field[]): Span {
  const list = Span.ofList(fields.length, 16);
  for (let i = 0; i < fields.length; i++) {
    Span.ofText(fields[i].name).put(list.at + 16 * <usize>i);
    Span.ofBytes(fields[i].bytes).put(list.at + 16 * <usize>i + 8);
  }
  return list;
}
