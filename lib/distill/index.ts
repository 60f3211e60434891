// Knowledge distillation: `distill` of the package.
export * as losses from "./losses/index.js";
export type {
  AttentionTransferOptions,
  DistOptions,
  Divergence,
  DkdOptions,
  Factor,
  RkdOptions,
} from "./losses/index.js";
export { combine, Distillation, type TeacherOptions } from "./distillation.js";
export { dist, dkd, kd, logitStandardization, softCrossEntropy } from "./scores.js";
export type { DistTermOptions, DkdTermOptions, KdOptions, SoftCrossEntropyOptions } from "./scores.js";
export { attentionTransfer, fsp, hints, rkd, similarity } from "./features.js";
export type {
  AttentionTransferTermOptions,
  FeatureOptions,
  FlowPair,
  FspOptions,
  HintsOptions,
  LayerPair,
  RkdTermOptions,
} from "./features.js";
export type { ProjectionKind } from "./projection.js";
export { fed, FedTeacher, type Teacher } from "./teacher.js";
export { cached, CachedTeacher, type CacheOptions } from "./cache/cached.js";
export { ema, EmaTeacher, type EmaOptions } from "./ema.js";
export { matchLayers, type LayerMatch, type MatchOptions } from "./match.js";
