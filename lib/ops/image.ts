// Convolution and pooling of images [N, C, H, W].
import { checkOptions } from "../errors.js";
import type { Conv2dGeometry } from "../tensor/parametrization.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { pairOf, sidesOf, type Padding, type Pair, type Window } from "./geometry.js";
import { requireTensor, type Weight } from "./require.js";

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** f32 [O], added to every pixel of its channel. */
  readonly bias?: Weight | undefined;
  /** Default 1. */
  readonly stride?: Pair | undefined;
  /** Default 0. */
  readonly padding?: Padding | undefined;
  /** Distance between taps. Default 1. */
  readonly dilation?: Pair | undefined;
  /** Channels are cut into so many groups that do not see each other. Default 1. */
  readonly groups?: number | undefined;
}

/**
 * Cross-correlation of f32 images [N, C, H, W] with kernels [O, C / groups, KH, KW] → [N, O, OH, OW], where
 * OH = ⌊(H + padding − dilation (KH − 1) − 1) / stride⌋ + 1, as torch.nn.functional.conv2d.
 *
 * @throws ShapeError, DTypeError for images and kernels that do not fit; ArgumentError for options.
 * @example
 * const edges = compile((x: Tensor) => ops.conv2d(x, array([-1, 1], [1, 1, 1, 2])));
 * (await edges.run(array([0, 0, 5, 5], [1, 1, 1, 4]))).toArray(); // [[[[0, 5, 0]]]]
 */
export function conv2d(x: Tensor, weight: Weight, options: Conv2dOptions = {}): Tensor {
  checkOptions("conv2d", options, ["bias", "stride", "padding", "dilation", "groups"]);
  requireTensor("conv2d", "x", x);
  const window: Window = {
    kernel: [weight.shape[2] ?? 1, weight.shape[3] ?? 1],
    stride: pairOf("conv2d", "stride", options.stride ?? 1),
    dilation: pairOf("conv2d", "dilation", options.dilation ?? 1),
  };
  const geometry: Conv2dGeometry = {
    stride: window.stride,
    dilation: window.dilation,
    padding: sidesOf("conv2d", options.padding ?? 0, x.shape.slice(2), window),
    groups: options.groups ?? 1,
  };
  const y = correlate(x, weight, geometry);
  if (options.bias === undefined) return y;
  return y.add(x.operand(options.bias).reshape([-1, 1, 1]));
}

/** @internal conv2d by its plain attributes; a weight with a form of its own is used as that form says. */
export function correlate(x: Tensor, weight: Weight, geometry: Conv2dGeometry): Tensor {
  const formed =
    weight instanceof Parameter ? weight.parametrization?.conv2d?.(x, weight.master(), geometry) : undefined;
  return formed ?? x.trace.apply("conv2d", [x, x.operand(weight)], { ...geometry });
}

/** Options of pooling. */
export interface PoolOptions {
  /** Window. */
  readonly kernel: Pair;
  /** Default the kernel: windows side by side. */
  readonly stride?: Pair | undefined;
  /** What is put around takes no part in a maximum. Default 0. */
  readonly padding?: Padding | undefined;
}

/** Options of {@link maxPool2d}. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance between taps. Default 1. */
  readonly dilation?: Pair | undefined;
}

/** Options of {@link avgPool2d}. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether padded zeros count as elements of a mean. Default true, as in PyTorch. */
  readonly countPadding?: boolean | undefined;
}

function poolWindow(where: string, options: PoolOptions & { dilation?: Pair | undefined }): Window {
  const kernel = pairOf(where, "kernel", options.kernel);
  return {
    kernel,
    stride: pairOf(where, "stride", options.stride ?? kernel),
    dilation: pairOf(where, "dilation", options.dilation ?? 1),
  };
}

/**
 * The largest value of every window, [N, C, H, W] → [N, C, OH, OW]; of equal ones the first takes the gradient.
 *
 * @throws ShapeError, DTypeError, ArgumentError
 * @example
 * const pool = compile((x: Tensor) => ops.maxPool2d(x, { kernel: 2 }));
 * (await pool.run(array([1, 2, 3, 4], [1, 1, 2, 2]))).item(); // 4
 */
export function maxPool2d(x: Tensor, options: MaxPoolOptions): Tensor {
  checkOptions("maxPool2d", options, ["kernel", "stride", "padding", "dilation"]);
  requireTensor("maxPool2d", "x", x);
  const window = poolWindow("maxPool2d", options);
  const padding = sidesOf("maxPool2d", options.padding ?? 0, x.shape.slice(2), window);
  return x.trace.apply("max_pool2d", [x], { ...window, padding });
}

/**
 * The mean of every window, [N, C, H, W] → [N, C, OH, OW].
 *
 * @throws ShapeError, DTypeError, ArgumentError
 * @example
 * const pool = compile((x: Tensor) => ops.avgPool2d(x, { kernel: 2 }));
 * (await pool.run(array([1, 2, 3, 4], [1, 1, 2, 2]))).item(); // 2.5
 */
export function avgPool2d(x: Tensor, options: AvgPoolOptions): Tensor {
  checkOptions("avgPool2d", options, ["kernel", "stride", "padding", "countPadding"]);
  requireTensor("avgPool2d", "x", x);
  const window = poolWindow("avgPool2d", options);
  const padding = sidesOf("avgPool2d", options.padding ?? 0, x.shape.slice(2), window);
  return x.trace.apply("avg_pool2d", [x], {
    kernel: window.kernel,
    stride: window.stride,
    padding,
    count_padding: options.countPadding ?? true,
  });
}
