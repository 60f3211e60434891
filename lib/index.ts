// Everything that `import … from "athanor"` offers.
import { addon } from "./native/index.js";

export * from "./errors.js";

/** The version of the engine. */
export const version: string = addon.version;
