/** Messages to the gateway's log; what everything means is in log.d.ts. */

import gateway from "#gateway/log";

const write = (level) => (message, attributes = {}) =>
  gateway.write(level, message, Object.entries(attributes).map(([name, value]) => ({ name, value: String(value) })));

export const error = write("error");
export const warn = write("warn");
export const info = write("info");
export const debug = write("debug");
