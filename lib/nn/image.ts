// Layers of images [N, C, H, W]: convolution and pooling.
import { requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, DTypeError, ShapeError } from "../errors.js";
import { got } from "../names/got.js";
import { checkPadding, pairOf, type Padding, type Pair } from "../ops/geometry.js";
import * as ops from "../ops/image.js";
import { showShape } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import * as init from "./init.js";
import { asFloat32 } from "./instead.js";
import { Module } from "./module.js";
import { requireFlag, requireInit, requireSizes } from "./sizes.js";

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  readonly kernel: Pair;
  /** Default 1. */
  readonly stride?: Pair | undefined;
  /** Default 0. */
  readonly padding?: Padding | undefined;
  /** Default 1. */
  readonly dilation?: Pair | undefined;
  /** Must divide both numbers of channels. Default 1. */
  readonly groups?: number | undefined;
  /** Default true. */
  readonly bias?: boolean | undefined;
  /** Of the weight. Default `init.pytorchDefault()`; the bias starts within the same bounds, or at 0 if this is given. */
  readonly init?: init.Initializer | undefined;
}

const convOptions = ["kernel", "stride", "padding", "dilation", "groups", "bias", "init"];

/** Convolution with `weight` [out, in / groups, KH, KW] and `bias` [out]. */
export class Conv2d extends Module {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: Padding;
  readonly dilation: readonly [number, number];
  readonly groups: number;
  weight: Parameter;
  bias: Parameter | undefined;

  constructor(inChannels: number, outChannels: number, options: Conv2dOptions) {
    super();
    requireSizes("nn.conv2d(inChannels, outChannels, { kernel: 3 })", { inChannels, outChannels });
    requireKernel("conv2d", "nn.conv2d(inChannels, outChannels, { kernel: 3 })", options, convOptions);
    requireInit("conv2d", options.init);
    this.kernel = pairOf("conv2d", "kernel", options.kernel);
    requireFlag("conv2d", "bias", options.bias);
    this.stride = pairOf("conv2d", "stride", options.stride ?? 1);
    this.padding = checkPadding("conv2d", options.padding ?? 0);
    this.dilation = pairOf("conv2d", "dilation", options.dilation ?? 1);
    this.groups = options.groups ?? 1;
    requireCount("conv2d", "groups", this.groups);
    if (inChannels % this.groups !== 0 || outChannels % this.groups !== 0) {
      throw new ShapeError(
        `conv2d: groups must divide the channels, got ${this.groups} groups for ${inChannels} input and ${outChannels} output channels`,
      );
    }
    const shape = [outChannels, inChannels / this.groups, ...this.kernel];
    this.weight = new Parameter(shape, { fill: (options.init ?? init.pytorchDefault())(shape) });
    const biasFill = options.init ? init.zeros() : init.pytorchDefault()(shape);
    this.bias = (options.bias ?? true) ? new Parameter([outChannels], { fill: biasFill }) : undefined;
  }

  get inChannels(): number {
    return this.weight.shape[1]! * this.groups;
  }

  get outChannels(): number {
    return this.weight.shape[0]!;
  }

  override describe(): string {
    const grouped = this.groups === 1 ? "" : `, ${this.groups} groups`;
    const strided = this.stride.every((step) => step === 1) ? "" : `, stride ${this.stride.join(" × ")}`;
    return `${this.inChannels} → ${this.outChannels}, ${this.kernel.join(" × ")}${strided}${grouped}${this.bias ? "" : ", no bias"}`;
  }

  forward(x: Tensor): Tensor {
    requireImages("conv2d", x);
    if (x.shape[1] !== this.inChannels) {
      const last = x.shape[3] === this.inChannels;
      const way = last ? "; channels come second: if these are [N, H, W, C], transpose([0, 3, 1, 2]) them" : "";
      throw new ShapeError(
        `conv2d: input ${showShape(x.shape)} has ${x.shape[1]} channels, expected ${this.inChannels}${way}`,
      );
    }
    const { stride, padding, dilation, groups, bias } = this;
    return ops.conv2d(x, this.weight, { stride, padding, dilation, groups, bias });
  }
}

function requireImages(where: string, x: Tensor): void {
  if (x.dtype !== "f32") throw new DTypeError(`${where}: takes f32, got ${x.dtype}; ${asFloat32}`);
  if (x.rank === 4) return;
  const [first, ...rest] = x.shape;
  const way =
    x.rank === 3
      ? `; reshape to [${first}, 1, ${rest.join(", ")}] for ${first} gray images, to [1, ${x.shape.join(", ")}] for one image of ${first} channels`
      : "; reshape flat images to [N, channels, height, width]";
  throw new ShapeError(`${where}: takes images [N, C, H, W], got ${showShape(x.shape)}${way}`);
}

function requireKernel(where: string, usage: string, options: unknown, known: readonly string[]): void {
  const given = typeof options === "object" && options !== null && !Array.isArray(options);
  if (given) checkOptions(where, options, known);
  if (given && "kernel" in options && options.kernel !== undefined) return;
  throw new ArgumentError(`${where}: kernel is missing, got ${got(options)}; write ${usage}`);
}

/**
 * Convolution of f32 images [N, in, H, W] → [N, out, OH, OW]. `weight` is [out, in / groups, KH, KW] and `bias` [out], both
 * start evenly within ± 1 / √(in / groups · KH · KW), as torch.nn.Conv2d.
 *
 * @throws ArgumentError, ShapeError for sizes and options; ShapeError, DTypeError when traced.
 * @example
 * const layer = nn.conv2d(1, 32, { kernel: 3, padding: "same" });
 * layer.weight.shape; // [32, 1, 3, 3]
 */
export function conv2d(inChannels: number, outChannels: number, options: Conv2dOptions): Conv2d {
  return new Conv2d(inChannels, outChannels, options);
}

/** The largest value of every window. */
export class MaxPool2d extends Module {
  readonly options: ops.MaxPoolOptions;

  constructor(options: ops.MaxPoolOptions) {
    super();
    requireKernel("maxPool2d", "nn.maxPool2d(2)", options, ["kernel", "stride", "padding", "dilation"]);
    const kernel = pairOf("maxPool2d", "kernel", options.kernel);
    const stride = pairOf("maxPool2d", "stride", options.stride ?? kernel);
    const padding = checkPadding("maxPool2d", options.padding ?? 0);
    this.options = { kernel, stride, padding, dilation: pairOf("maxPool2d", "dilation", options.dilation ?? 1) };
  }

  override describe(): string {
    return (this.options.kernel as readonly number[]).join(" × ");
  }

  forward(x: Tensor): Tensor {
    requireImages("maxPool2d", x);
    return ops.maxPool2d(x, this.options);
  }
}

/**
 * The largest value of every window of images [N, C, H, W], as torch.nn.MaxPool2d.
 *
 * @param options a number stands for the kernel; the stride is the kernel unless given.
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 * @example
 * const half = nn.maxPool2d(2);
 */
export function maxPool2d(options: number | ops.MaxPoolOptions): MaxPool2d {
  return new MaxPool2d(typeof options === "number" ? { kernel: options } : options);
}

/** The mean of every window. */
export class AvgPool2d extends Module {
  readonly options: ops.AvgPoolOptions;

  constructor(options: ops.AvgPoolOptions) {
    super();
    requireKernel("avgPool2d", "nn.avgPool2d(2)", options, ["kernel", "stride", "padding", "countPadding"]);
    const kernel = pairOf("avgPool2d", "kernel", options.kernel);
    const stride = pairOf("avgPool2d", "stride", options.stride ?? kernel);
    const padding = checkPadding("avgPool2d", options.padding ?? 0);
    this.options = { kernel, stride, padding, countPadding: options.countPadding ?? true };
  }

  override describe(): string {
    return (this.options.kernel as readonly number[]).join(" × ");
  }

  forward(x: Tensor): Tensor {
    requireImages("avgPool2d", x);
    return ops.avgPool2d(x, this.options);
  }
}

/**
 * The mean of every window of images [N, C, H, W], as torch.nn.AvgPool2d.
 *
 * @param options a number stands for the kernel; the stride is the kernel unless given.
 * @throws ArgumentError; ShapeError, DTypeError when traced.
 */
export function avgPool2d(options: number | ops.AvgPoolOptions): AvgPool2d {
  return new AvgPool2d(typeof options === "number" ? { kernel: options } : options);
}

/** The mean of every channel. */
export class GlobalAvgPool2d extends Module {
  forward(x: Tensor): Tensor {
    requireImages("globalAvgPool2d", x);
    return x.mean([2, 3]);
  }
}

/** The mean of every channel of images, [N, C, H, W] → [N, C]. @throws ShapeError, DTypeError when traced. */
export function globalAvgPool2d(): GlobalAvgPool2d {
  return new GlobalAvgPool2d();
}
