/** JSON as configurations and bodies have it. */

export enum Kind {
  Missing,
  Null,
  Bool,
  Number,
  Text,
  List,
  Object,
}

/** A value. What is not there is a value, too, of the kind `Missing`, so that questions can be strung together. */
export class Json {
  flag: bool = false;
  number: f64 = 0;
  text: string = "";
  items: Json[] = [];
  /** Of an object: the names of its items. */
  names: string[] = [];

  constructor(readonly kind: Kind) {}

  /** What a text says; of the kind `Missing` if it is no JSON. */
  static parse(text: string): Json {
    const parser = new Parser(text);
    const value = parser.value(0);
    parser.space();
    return parser.failed || parser.at != text.length ? new Json(Kind.Missing) : value;
  }

  get isThere(): bool {
    return this.kind != Kind.Missing && this.kind != Kind.Null;
  }

  /** The item of that name of an object. */
  get(name: string): Json {
    const place = this.names.lastIndexOf(name);
    return place < 0 ? new Json(Kind.Missing) : this.items[place];
  }

  /** Its text, or what stands here if it is none. */
  textOr(other: string): string {
    return this.kind == Kind.Text ? this.text : other;
  }

  numberOr(other: f64): f64 {
    return this.kind == Kind.Number ? this.number : other;
  }

  flagOr(other: bool): bool {
    return this.kind == Kind.Bool ? this.flag : other;
  }

  /** Sets an item of an object. */
  set(name: string, value: Json): void {
    const place = this.names.lastIndexOf(name);
    if (place >= 0) {
      this.items[place] = value;
      return;
    }
    this.names.push(name);
    this.items.push(value);
  }

  /** Removes an item of an object. */
  remove(name: string): void {
    for (let place = this.names.lastIndexOf(name); place >= 0; place = this.names.lastIndexOf(name)) {
      this.names.splice(place, 1);
      this.items.splice(place, 1);
    }
  }

  static ofText(text: string): Json {
    const value = new Json(Kind.Text);
    value.text = text;
    return value;
  }

  static ofNumber(number: f64): Json {
    const value = new Json(Kind.Number);
    value.number = number;
    return value;
  }

  static ofFlag(flag: bool): Json {
    const value = new Json(Kind.Bool);
    value.flag = flag;
    return value;
  }

  toString(): string {
    switch (this.kind) {
      case Kind.Bool:
        return this.flag ? "true" : "false";
      case Kind.Number: {
        // Numbers that were read are written as they were.
        if (this.text.length) return this.text;
        return Math.trunc(this.number) == this.number && Math.abs(this.number) < 9007199254740992 ? (<i64>this.number).toString() : this.number.toString();
      }
      case Kind.Text:
        return quoted(this.text);
      case Kind.List:
      case Kind.Object: {
        const parts: string[] = [];
        const isObject = this.kind == Kind.Object;
        for (let i = 0; i < this.items.length; i++) parts.push((isObject ? quoted(this.names[i]) + ":" : "") + this.items[i].toString());
        return isObject ? `{${parts.join(",")}}` : `[${parts.join(",")}]`;
      }
      default:
        return "null";
    }
  }
}

/** A text as JSON has it. */
export function quoted(text: string): string {
  let out = '"';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x20 && code != 0x22 && code != 0x5c) continue;
    out += text.substring(from, i) + (code < 0x20 ? "\\u00" + (code < 0x10 ? "0" : "") + code.toString(16) : "\\" + text.charAt(i));
    from = i + 1;
  }
  return out + text.substring(from) + '"';
}

/** Deeper ones are refused: each level takes stack. */
const DEEPEST = 64;

class Parser {
  at: i32 = 0;
  failed: bool = false;

  constructor(private source: string) {}

  space(): void {
    for (; this.at < this.source.length; this.at++) {
      const code = this.source.charCodeAt(this.at);
      if (code != 0x20 && code != 0x0a && code != 0x0d && code != 0x09) return;
    }
  }

  value(depth: i32): Json {
    this.space();
    if (this.at >= this.source.length || depth > DEEPEST) return this.fail();
    switch (this.source.charCodeAt(this.at)) {
      case 0x7b:
        return this.container(Kind.Object, 0x7d, depth);
      case 0x5b:
        return this.container(Kind.List, 0x5d, depth);
      case 0x22:
        return Json.ofText(this.string());
      case 0x74:
        return this.word("true") ? Json.ofFlag(true) : this.fail();
      case 0x66:
        return this.word("false") ? Json.ofFlag(false) : this.fail();
      case 0x6e:
        return this.word("null") ? new Json(Kind.Null) : this.fail();
      default:
        return this.readNumber();
    }
  }

  private fail(): Json {
    this.failed = true;
    return new Json(Kind.Missing);
  }

  private word(word: string): bool {
    const is = this.source.startsWith(word, this.at);
    if (is) this.at += word.length;
    return is;
  }

  private take(code: i32): bool {
    this.space();
    const is = this.at < this.source.length && this.source.charCodeAt(this.at) == code;
    if (is) this.at++;
    return is;
  }

  private container(kind: Kind, end: i32, depth: i32): Json {
    const container = new Json(kind);
    this.at++;
    if (this.take(end)) return container;
    while (!this.failed) {
      if (kind == Kind.Object) {
        this.space();
        if (this.at >= this.source.length || this.source.charCodeAt(this.at) != 0x22) return this.fail();
        container.names.push(this.string());
        if (!this.take(0x3a)) return this.fail();
      }
      container.items.push(this.value(depth + 1));
      if (this.take(end)) return container;
      if (!this.take(0x2c)) return this.fail();
    }
    return container;
  }

  private string(): string {
    let out = "";
    let from = ++this.at;
    while (this.at < this.source.length) {
      const code = this.source.charCodeAt(this.at);
      if (code == 0x22) {
        out += this.source.substring(from, this.at++);
        return out;
      }
      if (code < 0x20) break;
      if (code == 0x5c) {
        out += this.source.substring(from, this.at) + this.escape();
        from = this.at;
      } else {
        this.at++;
      }
    }
    this.failed = true;
    return out;
  }

  private escape(): string {
    const code = this.at + 1 < this.source.length ? this.source.charCodeAt(this.at + 1) : 0;
    this.at += 2;
    switch (code) {
      case 0x22:
      case 0x5c:
      case 0x2f:
        return String.fromCharCode(code);
      case 0x62:
        return "\b";
      case 0x66:
        return "\f";
      case 0x6e:
        return "\n";
      case 0x72:
        return "\r";
      case 0x74:
        return "\t";
      case 0x75: {
        let unit = 0;
        for (let i = 0; i < 4; i++, this.at++) {
          const digit = this.at < this.source.length ? hexDigit(this.source.charCodeAt(this.at)) : -1;
          if (digit < 0) {
            this.failed = true;
            return "";
          }
          unit = (unit << 4) | digit;
        }
        return String.fromCharCode(unit);
      }
    }
    this.failed = true;
    return "";
  }

  private digits(): bool {
    const from = this.at;
    while (this.at < this.source.length && this.source.charCodeAt(this.at) >= 0x30 && this.source.charCodeAt(this.at) <= 0x39) this.at++;
    return this.at > from;
  }

  private readNumber(): Json {
    const from = this.at;
    if (this.source.charCodeAt(this.at) == 0x2d) this.at++;
    const whole = this.at;
    if (!this.digits() || (this.source.charCodeAt(whole) == 0x30 && this.at > whole + 1)) return this.fail();
    if (this.at < this.source.length && this.source.charCodeAt(this.at) == 0x2e) {
      this.at++;
      if (!this.digits()) return this.fail();
    }
    if (this.at < this.source.length && (this.source.charCodeAt(this.at) | 0x20) == 0x65) {
      this.at++;
      if (this.at < this.source.length && (this.source.charCodeAt(this.at) == 0x2b || this.source.charCodeAt(this.at) == 0x2d)) this.at++;
      if (!this.digits()) return this.fail();
    }
    const number = new Json(Kind.Number);
    number.text = this.source.substring(from, this.at);
    number.number = F64.parseFloat(number.text);
    return number;
  }
}

/** What a hexadecimal digit stands for, or -1. */
export function hexDigit(code: i32): i32 {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
