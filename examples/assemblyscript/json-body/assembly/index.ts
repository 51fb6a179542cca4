/** Removes and sets members of JSON objects in response bodies. */

import { Answer, FORWARD, Filter, Interest, Json, Kind, Replace, Response, State, install, isUtf8 } from "tollgate-filter";

/** Of a response whose body is JSON. */
class IsJson extends State {}

class JsonBody extends Filter {
  removed: Json[] = [];
  changes: Json = new Json(Kind.Missing);

  configure(config: Json): string | null {
    this.removed = config.get("remove").items;
    this.changes = config.get("set");
    return null;
  }

  interest(): Interest {
    return new Interest().response(["content-type"]).responseBody(true).state();
  }

  onResponse(response: Response): Answer {
    const kind = (response.field("content-type") || "").split(";")[0];
    if (kind.trim().toLowerCase() == "application/json") response.state = new IsJson();
    return FORWARD;
  }

  onResponseBody(response: Response, piece: Uint8Array, last: bool): Answer {
    // What is no UTF-8 passes as it is.
    if (!response.state || !isUtf8(piece)) return FORWARD;
    const document = Json.parse(String.UTF8.decodeUnsafe(piece.dataStart, piece.byteLength));
    if (document.kind != Kind.Object) return FORWARD;
    for (let i = 0; i < this.removed.length; i++) document.remove(this.removed[i].text);
    for (let i = 0; i < this.changes.items.length; i++) document.set(this.changes.names[i], this.changes.items[i]);
    return Replace.text(document.toString());
  }
}

install(new JsonBody());
