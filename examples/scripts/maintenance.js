// Paths that `[config]` closes for now are answered with 503, and when to come again; whoever comes from inside passes.
import { Reply } from "tollgate-filter";

let closed = [];
let seconds;

export const interest = { request: [":path", "x-inside"] };

export function configure({ paths = [], minutes = 10 }) {
  if (!paths.every((path) => path.startsWith("/"))) throw new Error("paths: each begins with a slash");
  closed = paths;
  seconds = String(60 * minutes);
}

export function onRequest(request) {
  const path = closed.find((path) => request.path.startsWith(path));
  if (path === undefined || request.field("x-inside") !== undefined) return;
  return Reply.problem(503, "Closed for maintenance", `Everything under ${path} is back soon.`).field("retry-after", seconds);
}

export function onResponse(response) {
  if (closed.length) response.set("x-closed", closed.join(" "));
}
