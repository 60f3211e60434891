// Every function here is a property of `tune`.
export { asha, asha as successiveHalving, hyperband, type AshaOptions, type HyperbandOptions } from "./asha.js";
export { extrapolation, type ExtrapolationOptions } from "./extrapolation.js";
export { none } from "./none.js";
export { median, percentile, type PercentileOptions } from "./percentile.js";
export type { Pruner, PruneRequest } from "./pruner.js";
export { wilcoxon, type WilcoxonOptions } from "./wilcoxon.js";
export { patient, threshold, type ThresholdOptions } from "./wrappers.js";
