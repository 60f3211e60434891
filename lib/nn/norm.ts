// Normalisation layers. Layer and RMS norm treat every row alike in training and in use; batch norm normalises by the batch while
// it is trained and by running statistics afterwards.
import { requireAboveZero, requireCount, requireWithin } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, ShapeError } from "../errors.js";
import { got } from "../names/got.js";
import * as ops from "../ops/norm.js";
import { countOf, showShape, type Shape } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import * as init from "./init.js";
import { Module } from "./module.js";
import { requireSizes } from "./sizes.js";
import { Buffer } from "./buffer.js";

/** Options of {@link layerNorm} and {@link rmsNorm}. */
export interface NormOptions {
  /** Added to the variance. Default 1e-5 (layer norm), 1e-6 (RMS norm). */
  readonly eps?: number | undefined;
}

function shapeOf(where: string, shape: number | Shape): Shape {
  const list = typeof shape === "number" ? [shape] : shape;
  if (!Array.isArray(list) || list.length === 0) {
    throw new ArgumentError(
      `${where}: expected the number of features or the shape of the last dimensions, got ${got(shape)}`,
    );
  }
  list.forEach((extent) => requireCount(where, "an extent of the shape", extent));
  return list as Shape;
}

// Rows to normalise: the last dimensions as one. x […, shape] → […, count]
function rowsOf(where: string, x: Tensor, shape: Shape): Tensor {
  if (showShape(x.shape.slice(-shape.length)) !== showShape(shape)) {
    const one = shape.length === 1;
    throw new ShapeError(
      one && x.rank > 0
        ? `${where}: input has ${x.shape.at(-1)} features in its last dimension, expected ${shape[0]}`
        : `${where}: the last dimensions of the input ${showShape(x.shape)} must be ${showShape(shape)}`,
    );
  }
  return shape.length === 1 ? x : x.reshape([...x.shape.slice(0, -shape.length), countOf(shape)]);
}

/** Every row to mean 0 and variance 1, then scaled by `weight` and shifted by `bias`. */
export class LayerNorm extends Module {
  readonly eps: number;
  weight: Parameter;
  bias: Parameter;

  constructor(shape: number | Shape, options: NormOptions = {}) {
    super();
    checkOptions("layerNorm", options, ["eps"]);
    const extents = shapeOf("layerNorm", shape);
    this.eps = options.eps ?? 1e-5;
    requireAboveZero("layerNorm", "eps", this.eps);
    this.weight = new Parameter(extents, { fill: init.ones() });
    this.bias = new Parameter(extents, { fill: init.zeros() });
  }

  /** The last dimensions, which are normalised together. */
  get shape(): Shape {
    return this.weight.shape;
  }

  override describe(): string {
    return this.shape.join(" × ");
  }

  forward(x: Tensor): Tensor {
    const rows = rowsOf("layerNorm", x, this.shape);
    const flat = (p: Parameter) => (this.shape.length === 1 ? p : x.operand(p).reshape([-1]));
    const y = ops.layerNorm(rows, flat(this.weight), flat(this.bias), { eps: this.eps });
    return this.shape.length === 1 ? y : y.reshape(x.shape);
  }
}

/**
 * Layer norm (Ba et al. 2016) over the last dimension, or over the last dimensions of a shape, as torch.nn.LayerNorm:
 * (x − mean) / √(variance + eps) · weight + bias. f32 […, dim] → […, dim]
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 * @example
 * nn.layerNorm(256).parameters().length; // 2
 */
export function layerNorm(shape: number | Shape, options?: NormOptions): LayerNorm {
  return new LayerNorm(shape, options);
}

/** Every row to mean square 1, then scaled by `weight`. */
export class RmsNorm extends Module {
  readonly eps: number;
  weight: Parameter;

  constructor(dim: number, options: NormOptions = {}) {
    super();
    requireSizes("nn.rmsNorm(dim)", { dim });
    checkOptions("rmsNorm", options, ["eps"]);
    this.eps = options.eps ?? 1e-6;
    requireAboveZero("rmsNorm", "eps", this.eps);
    this.weight = new Parameter([dim], { fill: init.ones() });
  }

  get dim(): number {
    return this.weight.shape[0]!;
  }

  override describe(): string {
    return String(this.dim);
  }

  forward(x: Tensor): Tensor {
    return ops.rmsNorm(rowsOf("rmsNorm", x, [this.dim]), this.weight, { eps: this.eps });
  }
}

/**
 * RMS norm (Zhang and Sennrich 2019) over the last dimension: x / √(mean of x² + eps) · weight. f32 […, dim] → […, dim]
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 */
export function rmsNorm(dim: number, options?: NormOptions): RmsNorm {
  return new RmsNorm(dim, options);
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Default 1e-5. */
  readonly eps?: number | undefined;
  /** Share of the newest batch in the running statistics, from 0 to 1. Default 0.1. */
  readonly momentum?: number | undefined;
}

/** Every channel normalised over the batch; in use, by running statistics. */
export class BatchNorm extends Module {
  readonly eps: number;
  readonly momentum: number;
  weight: Parameter;
  bias: Parameter;
  runningMean: Buffer;
  runningVar: Buffer;

  constructor(channels: number, options: BatchNormOptions = {}) {
    super();
    requireSizes("nn.batchNorm(channels)", { channels });
    checkOptions("batchNorm", options, ["eps", "momentum"]);
    this.eps = options.eps ?? 1e-5;
    requireAboveZero("batchNorm", "eps", this.eps);
    this.momentum = options.momentum ?? 0.1;
    requireWithin("batchNorm", "momentum", this.momentum, 0, 1);
    this.weight = new Parameter([channels], { fill: init.ones() });
    this.bias = new Parameter([channels], { fill: init.zeros() });
    this.runningMean = new Buffer([channels], init.zeros());
    this.runningVar = new Buffer([channels], init.ones());
  }

  get channels(): number {
    return this.weight.shape[0]!;
  }

  override describe(): string {
    return String(this.channels);
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, runningMean, runningVar, eps } = this;
    if (x.rank < 2 || x.shape[1] !== this.channels) {
      throw new ShapeError(
        `batchNorm: expected [N, ${this.channels}] or [N, ${this.channels}, …], got ${showShape(x.shape)}`,
      );
    }
    if (!x.trace.training) {
      return ops.normalizeChannels(x, { weight, bias, mean: runningMean, variance: runningVar }, { eps });
    }
    const count = countOf(x.shape) / this.channels; // values a channel
    if (count === 1) {
      throw new ShapeError(
        `batchNorm: one value a channel has no variance to train with, got ${showShape(x.shape)}; use a larger batch`,
      );
    }
    const { y, mean, variance } = ops.batchNorm(x, weight, bias, { eps });
    // The batch's variance divides by n; the running one estimates that of the data and divides by n − 1.
    this.follow(x, runningMean, mean);
    // As a quotient of whole numbers it is saved for any batch; in f64, and then rounded, it is the number itself.
    const [n, less] = [x.trace.scalar(count, "f64"), x.trace.scalar(count - 1, "f64")];
    this.follow(x, runningVar, variance.mul(n.div(less).cast("f32")));
    return y;
  }

  private follow(x: Tensor, running: Buffer, now: Tensor): void {
    const before = x.operand(running).mul(1 - this.momentum);
    x.trace.update(running, before.add(now.mul(this.momentum)));
  }
}

/**
 * Batch norm (Ioffe and Szegedy 2015) of f32 [N, C] or [N, C, …], as torch.nn.BatchNorm1d and 2d. Training uses the batch's
 * statistics and follows them with `runningMean` and `runningVar` (unbiased); in use those are constants, and the layer
 * costs nothing behind a convolution.
 *
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 * @example
 * nn.batchNorm(32).freeze().unfreeze().size; // 64
 */
export function batchNorm(channels: number, options?: BatchNormOptions): BatchNorm {
  return new BatchNorm(channels, options);
}
