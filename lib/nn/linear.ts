// The affine map of the last dimension, and rows of a table by number.
import { checkOptions, DTypeError, ShapeError } from "../errors.js";
import { embedding as lookUp } from "../ops/indexing.js";
import { showShape } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import * as init from "./init.js";
import { asFloat32 } from "./instead.js";
import { Module } from "./module.js";
import { requireFlag, requireInit, requireSizes } from "./sizes.js";

/** Options of {@link linear}. */
export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean | undefined;
  /** Of the weight. Default `init.pytorchDefault()`; the bias starts within the same bounds, or at 0 if this is given. */
  readonly init?: init.Initializer | undefined;
}

/** y = x wᵀ + b with w [out, in], b [out]. */
export class Linear extends Module {
  weight: Parameter;
  bias: Parameter | undefined;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    requireSizes("nn.linear(inFeatures, outFeatures)", { inFeatures, outFeatures });
    checkOptions("linear", options, ["bias", "init"]);
    requireFlag("linear", "bias", options.bias);
    requireInit("linear", options.init);
    const shape = [outFeatures, inFeatures];
    this.weight = new Parameter(shape, { fill: (options.init ?? init.pytorchDefault())(shape) });
    const biasFill = options.init ? init.zeros() : init.pytorchDefault()(shape);
    this.bias = (options.bias ?? true) ? new Parameter([outFeatures], { fill: biasFill }) : undefined;
  }

  get inFeatures(): number {
    return this.weight.shape[1]!;
  }

  get outFeatures(): number {
    return this.weight.shape[0]!;
  }

  override describe(): string {
    return `${this.inFeatures} → ${this.outFeatures}${this.bias ? "" : ", no bias"}`;
  }

  forward(x: Tensor): Tensor {
    if (x.dtype !== "f32") throw new DTypeError(`linear: takes f32, got ${x.dtype}; ${asFloat32}`);
    if (x.shape.at(-1) !== this.inFeatures) {
      throw new ShapeError(
        x.rank === 0
          ? `linear: input has no dimension, expected ${this.inFeatures} features in its last one`
          : `linear: input has ${x.shape.at(-1)} features in its last dimension, expected ${this.inFeatures}${this.hint(x)}`,
      );
    }
    const rows = x.rank === 1 ? x.reshape([1, -1]) : x;
    const product = rows.matmul(this.weight, { transB: true }); // […, out]
    const { bias } = this;
    const y = bias ? (bias.parametrization?.addTo?.(product, bias.master()) ?? product.add(bias)) : product;
    return x.rank === 1 ? y.reshape([this.outFeatures]) : y;
  }

  private hint(x: Tensor): string {
    const flat = x.shape.slice(1).reduce((product, extent) => product * extent, 1);
    if (x.rank > 2 && flat === this.inFeatures) return `; put nn.flatten() before it (${showShape(x.shape)})`;
    if (x.rank === 4) {
      return `; for the ${flat} features of ${showShape(x.shape)} put nn.flatten() before it and write nn.linear(${flat}, ${this.outFeatures})`;
    }
    return `; write nn.linear(${x.shape.at(-1)}, ${this.outFeatures}), or feed what has ${this.inFeatures} features`;
  }
}

/**
 * y = x wᵀ + b over the last dimension, f32 […, in] → […, out]. `weight` is [out, in] and `bias` [out], both start evenly
 * within ± 1 / √in, as torch.nn.Linear.
 *
 * @throws ArgumentError for sizes and options; ShapeError, DTypeError when traced.
 * @example
 * const layer = nn.linear(784, 10);
 * layer.weight.shape; // [10, 784]
 */
export function linear(inFeatures: number, outFeatures: number, options?: LinearOptions): Linear {
  return new Linear(inFeatures, outFeatures, options);
}

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** Default Gaussian with deviation 1. */
  readonly init?: init.Initializer | undefined;
}

/** Rows of `weight` [count, dim] by number. */
export class Embedding extends Module {
  weight: Parameter;

  constructor(count: number, dim: number, options: EmbeddingOptions = {}) {
    super();
    requireSizes("nn.embedding(count, dim)", { count, dim });
    checkOptions("embedding", options, ["init"]);
    requireInit("embedding", options.init);
    this.weight = new Parameter([count, dim], { fill: (options.init ?? init.normal())([count, dim]) });
  }

  get count(): number {
    return this.weight.shape[0]!;
  }

  get dim(): number {
    return this.weight.shape[1]!;
  }

  override describe(): string {
    return `${this.count} × ${this.dim}`;
  }

  forward(index: Tensor): Tensor {
    if (index.dtype !== "i32" && index.dtype !== "u8") {
      throw new DTypeError(
        `embedding: takes row numbers in i32, got ${index.dtype}; feed an Int32Array (bytes go into a model as f32 numbers)`,
      );
    }
    return lookUp(this.weight, index);
  }
}

/**
 * A row of `weight` [count, dim] for every number, i32 […] → f32 […, dim], as torch.nn.Embedding.
 *
 * @throws ArgumentError for sizes and options, and when run for a number out of range; DTypeError when traced.
 * @example
 * nn.embedding(17, 16).weight.shape; // [17, 16]
 */
export function embedding(count: number, dim: number, options?: EmbeddingOptions): Embedding {
  return new Embedding(count, dim, options);
}
