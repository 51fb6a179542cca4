/** Messages to the gateway's log, tagged with the policy, the route and the trace. Needs `"log"` among the imports of manifest.json. */

type Attributes = Record<string, string | number | boolean>;

/** Something is broken. */
export function error(message: string, attributes?: Attributes): void;
/** Something is not as it should be. */
export function warn(message: string, attributes?: Attributes): void;
/** Something that operators want to know. */
export function info(message: string, attributes?: Attributes): void;
/** Something that authors want to know. */
export function debug(message: string, attributes?: Attributes): void;
