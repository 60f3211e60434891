// Optimizers: `optim` of the package.
export { bind, BoundOptimizer, type OptimizerStates } from "./bound.js";
export type { HyperValue, HyperValues } from "./hyper.js";
export type {
  CommonOptions,
  GroupOptions,
  Optimizer,
  OptimizerGroup,
  OptimizerOptions,
  StateCodec,
  StepOptions,
} from "./optimizer.js";
export { adam, adamax, adamW, ademamix, lion, nadam, radam } from "./adam.js";
export type { AdamaxHypers, AdamHypers, AdemamixHypers, LionHypers, NadamHypers, RadamHypers } from "./adam.js";
export { adafactor, lamb, lars } from "./layerwise.js";
export type { AdafactorHypers, LambHypers, LarsHypers } from "./layerwise.js";
export { muon, type MuonHypers } from "./muon.js";
export { prodigy, scheduleFreeAdamW, scheduleFreeSgd } from "./parameter-free.js";
export type {
  ProdigyHypers,
  ProdigyOptions,
  ScheduleFreeAdamWHypers,
  ScheduleFreeSgdHypers,
} from "./parameter-free.js";
export { adadelta, adagrad, asgd, momentum, nesterov, rmsProp, rprop, sgd } from "./rules.js";
export type {
  AdadeltaHypers,
  AdagradHypers,
  AsgdHypers,
  MomentumHypers,
  RmsPropHypers,
  RpropHypers,
  SgdHypers,
} from "./rules.js";
