// How weights start. An initializer is a function of the weight's shape, [out, in] or [out, in / groups, kernel…], so that it
// can read the number of inputs (fan-in) and outputs (fan-out) from it.
import { requireAboveZero, requireOneOf, requireFinite } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { checkShape, type Shape } from "../tensor/nd-array.js";
import type { Fill } from "../tensor/parameter.js";

/** The first values for a weight of a shape. */
export type Initializer = (shape: Shape) => Fill;

/** Inputs and outputs of one unit of a weight [out, in, kernel…]. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  checkShape(shape, "nn.init.fans");
  const area = shape.slice(2).reduce((product, extent) => product * extent, 1);
  const [out = 1, into = out] = shape;
  return { fanIn: Math.max(1, into * area), fanOut: Math.max(1, out * area) };
}

const constantFill = (value: number): Fill => ({ kind: "constant", a: value, b: 0 });
const evenly = (bound: number): Fill => ({ kind: "uniform", a: -bound, b: bound });

// The fill is itself one and a function of the shape, so that `fill: init.ones()` and `init: init.ones()` both read well.
type Constant = Fill & Initializer;

function fixed(fill: Fill): Constant {
  return Object.assign(() => fill, fill);
}

/** All 0. */
export function zeros(): Constant {
  return fixed(constantFill(0));
}

/** All 1. */
export function ones(): Constant {
  return fixed(constantFill(1));
}

/** All one value. @throws ArgumentError unless it is finite. */
export function constant(value: number): Constant {
  requireFinite("init.constant", "value", value);
  return fixed(constantFill(value));
}

/** Evenly from [low, high), by default [-1, 1). @throws ArgumentError */
export function uniform(options: { readonly low?: number; readonly high?: number } = {}): Constant {
  checkOptions("init.uniform", options, ["low", "high"]);
  const { low = -1, high = 1 } = options;
  requireFinite("init.uniform", "low", low);
  requireFinite("init.uniform", "high", high);
  if (low > high) throw new ArgumentError(`init.uniform: low must not be above high, got ${low} and ${high}`);
  return fixed({ kind: "uniform", a: low, b: high });
}

/** Options of the normal initializers. */
export interface NormalOptions {
  /** Default 0. */
  readonly mean?: number | undefined;
  /** Standard deviation. Default 1. */
  readonly std?: number | undefined;
}

function bell(where: string, kind: "normal" | "truncated", options: NormalOptions): Constant {
  checkOptions(where, options, ["mean", "std"]);
  const { mean = 0, std = 1 } = options;
  requireFinite(where, "mean", mean);
  requireAboveZero(where, "std", std);
  return fixed({ kind, a: mean, b: std });
}

/** Gaussian. @throws ArgumentError */
export function normal(options: NormalOptions = {}): Constant {
  return bell("init.normal", "normal", options);
}

/** Gaussian, drawn anew beyond two deviations. `std` is that of the whole bell; what is left has 0.88 of it. @throws ArgumentError */
export function truncatedNormal(options: NormalOptions = {}): Constant {
  return bell("init.truncatedNormal", "truncated", options);
}

/** Options of {@link xavierUniform} and {@link xavierNormal}. */
export interface XavierOptions {
  /** Factor on the deviation. Default 1. */
  readonly gain?: number | undefined;
}

function xavierGain(where: string, options: XavierOptions): number {
  checkOptions(where, options, ["gain"]);
  const { gain = 1 } = options;
  requireAboveZero(where, "gain", gain);
  return gain;
}

/** Evenly within ± gain √(6 / (fan-in + fan-out)) (Glorot and Bengio 2010). @throws ArgumentError */
export function xavierUniform(options: XavierOptions = {}): Initializer {
  const gain = xavierGain("init.xavierUniform", options);
  return (shape) => {
    const { fanIn, fanOut } = fans(shape);
    return evenly(gain * Math.sqrt(6 / (fanIn + fanOut)));
  };
}

/** Gaussian with deviation gain √(2 / (fan-in + fan-out)) (Glorot and Bengio 2010). @throws ArgumentError */
export function xavierNormal(options: XavierOptions = {}): Initializer {
  const gain = xavierGain("init.xavierNormal", options);
  return (shape) => {
    const { fanIn, fanOut } = fans(shape);
    return { kind: "normal", a: 0, b: gain * Math.sqrt(2 / (fanIn + fanOut)) };
  };
}

/** Options of {@link heUniform} and {@link heNormal}. */
export interface HeOptions {
  /** Keep the variance of activations ("fanIn", the default) or of gradients ("fanOut"). */
  readonly mode?: "fanIn" | "fanOut" | undefined;
  /** Slope of the leaky ReLU below 0. Default 0, a ReLU. */
  readonly slope?: number | undefined;
}

function heDeviation(where: string, options: HeOptions): (shape: Shape) => number {
  checkOptions(where, options, ["mode", "slope"]);
  const { mode = "fanIn", slope = 0 } = options;
  requireOneOf(where, "mode", mode, ["fanIn", "fanOut"]);
  requireFinite(where, "slope", slope);
  return (shape) => Math.sqrt(2 / ((1 + slope * slope) * fans(shape)[mode]));
}

/** Evenly with deviation √(2 / fan) (He et al. 2015). @throws ArgumentError */
export function heUniform(options: HeOptions = {}): Initializer {
  const deviation = heDeviation("init.heUniform", options);
  return (shape) => evenly(Math.sqrt(3) * deviation(shape));
}

/** Gaussian with deviation √(2 / fan) (He et al. 2015). @throws ArgumentError */
export function heNormal(options: HeOptions = {}): Initializer {
  const deviation = heDeviation("init.heNormal", options);
  return (shape) => ({ kind: "normal", a: 0, b: deviation(shape) });
}

/** What the other name of the same initializer is in other libraries. */
export { xavierUniform as glorotUniform, xavierNormal as glorotNormal };
export { heUniform as kaimingUniform, heNormal as kaimingNormal };

/** Evenly within ± 1 / √fan-in: what linear and convolution layers start from, as in PyTorch. */
export function pytorchDefault(): Initializer {
  return (shape) => evenly(1 / Math.sqrt(fans(shape).fanIn));
}
