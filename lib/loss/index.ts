// Losses: `loss` of the package. Each is made by a factory and then takes (prediction, target).
export { bce, bceWithLogits, crossEntropy, hinge, kl, nll } from "./classification.js";
export type {
  BceOptions,
  BceWithLogitsOptions,
  CrossEntropyLossOptions,
  HingeOptions,
  NllOptions,
} from "./classification.js";
export type { Loss, ReductionOption } from "./loss.js";
export { huber, l1, mae, mse, smoothL1, type HuberOptions, type SmoothL1Options } from "./regression.js";
