// Everything that `import … from "athanor"` offers.
import { addon } from "./native/index.js";

export * from "./errors.js";
export { isa, isas } from "./native/isa.js";
export type { Isa } from "./native/index.js";

/** The version of the engine. */
export const version: string = addon.version;
