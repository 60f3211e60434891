// Normalisation: of rows (layer norm, Ba et al. 2016; RMS norm, Zhang and Sennrich 2019) and of channels over a batch (batch
// norm, Ioffe and Szegedy 2015).
import { requireAboveZero } from "../guidance/arguments.js";
import { checkOptions } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { requireTensor, type Weight } from "./require.js";

/** Options of normalisations. */
export interface NormOptions {
  /** Added to the variance. Default 1e-5; 1e-6 for RMS norm. */
  readonly eps?: number | undefined;
}

function epsOf(where: string, options: NormOptions, fallback: number): number {
  const eps = options.eps ?? fallback;
  requireAboveZero(where, "eps", eps);
  return eps;
}

/**
 * (x − mean) / √(variance + eps) · weight + bias over the last dimension. x f32 […, C], weight and bias [C] → […, C]
 *
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function layerNorm(x: Tensor, weight: Weight, bias: Weight, options: NormOptions = {}): Tensor {
  checkOptions("layerNorm", options, ["eps"]);
  requireTensor("layerNorm", "x", x);
  const eps = epsOf("layerNorm", options, 1e-5);
  return x.trace.apply("layer_norm", [x, x.operand(weight), x.operand(bias)], { eps });
}

/**
 * x / √(mean of x² + eps) · weight over the last dimension. x f32 […, C], weight [C] → […, C]
 *
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function rmsNorm(x: Tensor, weight: Weight, options: NormOptions = {}): Tensor {
  checkOptions("rmsNorm", options, ["eps"]);
  requireTensor("rmsNorm", "x", x);
  const eps = epsOf("rmsNorm", options, 1e-6);
  return x.trace.apply("rms_norm", [x, x.operand(weight)], { eps });
}

/** What {@link batchNorm} gives: the result, and the batch's statistics [C] (the variance biased, divided by n). */
export interface BatchNormResult {
  readonly y: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/**
 * Every channel normalised over the batch: x f32 [N, C] or [N, C, …], weight and bias [C].
 *
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function batchNorm(x: Tensor, weight: Weight, bias: Weight, options: NormOptions = {}): BatchNormResult {
  checkOptions("batchNorm", options, ["eps"]);
  requireTensor("batchNorm", "x", x);
  const eps = epsOf("batchNorm", options, 1e-5);
  const [y, mean, variance] = x.trace.applyMany("batch_norm", [x, x.operand(weight), x.operand(bias)], 3, { eps });
  return { y: y!, mean: mean!.stopGradient(), variance: variance!.stopGradient() };
}

/** The four vectors [C] of a batch norm in use. */
export interface ChannelStatistics {
  readonly weight: Weight;
  readonly bias: Weight;
  readonly mean: Weight;
  readonly variance: Weight;
}

/**
 * Every channel normalised by statistics that are given: x · s + (bias − mean · s) with s = weight / √(variance + eps), plain
 * elementwise work that the compiler puts into the convolution before it.
 *
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function normalizeChannels(x: Tensor, statistics: ChannelStatistics, options: NormOptions = {}): Tensor {
  checkOptions("normalizeChannels", options, ["eps"]);
  requireTensor("normalizeChannels", "x", x);
  const { weight, bias, mean, variance } = statistics;
  const scale = x
    .operand(variance)
    .add(epsOf("normalizeChannels", options, 1e-5))
    .rsqrt()
    .mul(weight); // [C]
  const shift = x.operand(bias).sub(scale.mul(mean)); // [C]
  const along = [-1, ...x.shape.slice(2).map(() => 1)]; // [C, 1, …]
  return x.mul(scale.reshape(along)).add(shift.reshape(along));
}
