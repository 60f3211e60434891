// Every function here is a property of `tune`.
export { none } from "./none.js";
export type { Pruner, PruneRequest } from "./pruner.js";
