// Everything that `import … from "athanor"` offers.
import { addon } from "./native/index.js";

export * from "./errors.js";
export * as loss from "./loss/index.js";
export * as nn from "./nn/index.js";
export * as optim from "./optim/index.js";
export * as ops from "./ops/index.js";
export { isa, isas } from "./native/isa.js";
export { nativeBytes, setThreads, threads } from "./native/threads.js";
export type { Isa } from "./native/index.js";
export * from "./tensor/index.js";
export * as artifact from "./artifact/index.js";
export * as data from "./data/index.js";
export * as distill from "./distill/index.js";
export * as metrics from "./metrics/index.js";
export { prune } from "./prune/index.js";
export { quantize, type QuantizeOptions, type Scheme } from "./quantize/index.js";
export * as report from "./report/index.js";
export * as schedule from "./schedule/index.js";
export * as train from "./train/index.js";
export type { FitOptions } from "./train/index.js";
export type { PruneOptions, PruningSchedule } from "./prune/index.js";

/** The version of the engine. */
export const version: string = addon.version;
