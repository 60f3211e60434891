// The formulas of distillation as functions of tensors: `distill.losses` of the package.
export { dist, divergences, dkd, kd, softCrossEntropy, standardize } from "./scores.js";
export type { DistOptions, Divergence, DkdOptions, KdLossOptions, TemperatureOption } from "./scores.js";
export { attentionTransfer, fsp, hint, rkd, similarity } from "./features.js";
export type { AttentionTransferOptions, RkdOptions } from "./features.js";
export type { Factor } from "./check.js";
