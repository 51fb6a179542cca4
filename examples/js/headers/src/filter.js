/** Rewrites the heads of requests and responses: removes fields, sets them, adds them. */

import { Filter } from "tollgate-filter";

export default class Headers extends Filter {
  constructor({ request = {}, response = {} }) {
    super();
    this.changes = { request, response };
  }

  onRequest(request) {
    apply(request, this.changes.request);
  }

  onResponse(response) {
    apply(response, this.changes.response);
  }
}

function apply(message, { remove = [], set = {}, add = {} }) {
  remove.forEach((name) => message.remove(name));
  Object.entries(set).forEach(([name, value]) => message.set(name, value));
  Object.entries(add).forEach(([name, value]) => message.add(name, value));
}
