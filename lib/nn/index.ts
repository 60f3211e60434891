// Layers and models: `nn` of the package.
export * as init from "./init.js";
export { Activation, Dropout, Flatten, Softmax, type ActivationName } from "./activation.js";
export { dropout, elu, flatten, gelu, leakyRelu, relu, sigmoid, silu, softmax, softplus, tanh } from "./activation.js";
export { attention, Attention, transformerBlock, TransformerBlock } from "./attention.js";
export type { AttentionOptions, TransformerBlockOptions } from "./attention.js";
export { capture, layerOf, type Captured } from "./capture.js";
export { residual, Residual, sequential, Sequential } from "./container.js";
export {
  avgPool2d,
  AvgPool2d,
  conv2d,
  Conv2d,
  globalAvgPool2d,
  GlobalAvgPool2d,
  maxPool2d,
  MaxPool2d,
} from "./image.js";
export type { Conv2dOptions } from "./image.js";
export type { Initializer } from "./init.js";
export { feed, feedAll, inputFor } from "./input.js";
export { embedding, Embedding, linear, Linear, type EmbeddingOptions, type LinearOptions } from "./linear.js";
export {
  call,
  Module,
  type AnyModule,
  type ForwardResult,
  type ModelLike,
  type ModuleLike,
  type NamedModule,
} from "./module.js";
export type { ParameterMatch, ParameterMatches } from "./match.js";
export { batchNorm, BatchNorm, layerNorm, LayerNorm, rmsNorm, RmsNorm } from "./norm.js";
export type { BatchNormOptions, NormOptions } from "./norm.js";
export { Summary, type LayerSummary, type SummaryOptions } from "./summary.js";
export type { LoadStateOptions, StateDict } from "./state-dict.js";
export { Buffer } from "./buffer.js";
export type { NamedParameter } from "./named-parameter.js";
