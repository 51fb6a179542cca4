/** What the modules for the gateway's interfaces share. */

/** The gateway could not do what it was asked for; what that means is in index.d.ts. */
export class GatewayError extends Error {
  constructor(kind, message) {
    super(message ?? kind);
    this.name = "GatewayError";
    this.kind = kind;
  }
}

/** Calls a function of an interface. The error of its result becomes one of ours. */
export function calling(reasons) {
  return (call, ...args) => {
    try {
      return call(...args);
    } catch (error) {
      if (error?.payload === undefined) throw error;
      throw failure(reasons, error.payload);
    }
  };
}

/** An error as the interface has it: its name, or its name with what was said. */
export function failure(reasons, error) {
  const kind = typeof error === "string" ? error : error.tag;
  return new GatewayError(kind, error.val ?? reasons[kind]);
}

/** Whole milliseconds, rounded up, as the interface has 64 bits for them. */
export const duration = (ms) => BigInt(Math.ceil(ms));
