/** Rewrites the heads of requests and responses: removes fields, sets them, adds them. */

import { Answer, FORWARD, Filter, Interest, Json, Kind, Message, Request, Response, install } from "tollgate-filter";

class Headers extends Filter {
  ofRequest: Json = new Json(Kind.Missing);
  ofResponse: Json = new Json(Kind.Missing);

  configure(config: Json): string | null {
    this.ofRequest = config.get("request");
    this.ofResponse = config.get("response");
    return null;
  }

  interest(): Interest {
    return new Interest().request().response();
  }

  onRequest(request: Request): Answer {
    return apply(request, this.ofRequest);
  }

  onResponse(response: Response): Answer {
    return apply(response, this.ofResponse);
  }
}

function apply(message: Message, changes: Json): Answer {
  const remove = changes.get("remove").items;
  for (let i = 0; i < remove.length; i++) message.remove(remove[i].text);
  const set = changes.get("set");
  for (let i = 0; i < set.items.length; i++) message.set(set.names[i], set.items[i].text);
  const add = changes.get("add");
  for (let i = 0; i < add.items.length; i++) message.add(add.names[i], add.items[i].text);
  return FORWARD;
}

install(new Headers());
