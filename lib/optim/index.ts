// Optimizers: `optim` of the package.
export { bind, BoundOptimizer, type OptimizerStates } from "./bound.js";
export type { HyperValue, HyperValues } from "./hyper.js";
export type {
  CommonOptions,
  GroupOptions,
  Optimizer,
  OptimizerGroup,
  OptimizerOptions,
  StepOptions,
} from "./optimizer.js";
export { adagrad, adam, adamW, momentum, nesterov, rmsProp, sgd } from "./rules.js";
export type { AdagradHypers, AdamHypers, MomentumHypers, RmsPropHypers, SgdHypers } from "./rules.js";
