// Operations that are no methods of a tensor: `ops` of the package. A method of the same name would read worse (`concat`), or
// the operation takes weights (`conv2d`).
export { attention, attentionPacked, type AttentionOptions, type PackedAttentionOptions } from "./attention.js";
export { elu, leakyRelu } from "./activation.js";
export { crossEntropy, type CrossEntropyOptions, type Reduction } from "./cross-entropy.js";
export type { Padding, Pair } from "./geometry.js";
export { avgPool2d, conv2d, maxPool2d } from "./image.js";
export type { AvgPoolOptions, Conv2dOptions, MaxPoolOptions, PoolOptions } from "./image.js";
export { einsum } from "./einsum.js";
export { embedding, oneHot } from "./indexing.js";
export { concat, stack, where } from "./join.js";
export { batchNorm, layerNorm, normalizeChannels, rmsNorm } from "./norm.js";
export type { BatchNormResult, ChannelStatistics, NormOptions } from "./norm.js";
export type { Weight } from "./require.js";
export { arange, dropout, uniform, type ArangeOptions, type UniformOptions } from "./source.js";
export { sparseConv2d, sparseMatmul, toSparse } from "./sparse.js";
export type { SparseArrays, SparseConv2dOptions, SparseMatmulOptions, SparseWeight } from "./sparse.js";
