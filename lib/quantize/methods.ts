// Methods: what is done, beside rounding every weight to the nearest code, so that the layer's result suffers less. They are
// descriptions; `quantize` carries them out.
import { requireCount, requireWithin } from "../guidance/arguments.js";
import { checkOptions } from "../errors.js";
import type { Samples } from "../data/index.js";
import type { NdArray } from "../tensor/nd-array.js";
import { inputsOf } from "./calibrate.js";

/** Samples for a method to look at; their targets are not used. */
export interface CalibrationOption {
  /** Default the samples that `quantize` is given. */
  readonly calibrate?: Samples | NdArray | undefined;
}

/** A method; several can be combined, one of each kind. */
export interface Method extends CalibrationOption {
  readonly name: string;
  /** Scales input channels against weight columns. */
  readonly scaling?:
    { readonly kind: "smooth"; readonly alpha: number } | { readonly kind: "awq"; readonly grid: number };
  /** Rounds columns one after the other, each making up for those before. */
  readonly compensate?: { readonly damp: number; readonly actOrder: boolean };
  /** Moves the layer's bias by the mean error of its result. */
  readonly shiftBias?: boolean;
}

/** Round to nearest: every weight becomes the nearest value of its format. What `quantize` does without a method. */
export function rtn(): Method {
  return { name: "rtn" };
}

/** Options of {@link smoothQuant}. */
export interface SmoothQuantOptions extends CalibrationOption {
  /** How much of the inputs' range moves into the weights, from 0 (none) to 1 (all). Default 0.5. */
  readonly alpha?: number | undefined;
}

/**
 * Divides input channels by s = max|x|ᵅ / max|w|¹⁻ᵅ and multiplies their weights by it, so that channels with outliers do not cost
 * the others their resolution (Xiao et al. 2022). For schemes with integer activations.
 *
 * @throws ArgumentError
 */
export function smoothQuant(options: SmoothQuantOptions = {}): Method {
  checkMethod("quantize.smoothQuant", options, ["alpha", "calibrate"]);
  const { alpha = 0.5, calibrate } = options;
  requireWithin("quantize.smoothQuant", "alpha", alpha, 0, 1);
  return { name: "smoothQuant", scaling: { kind: "smooth", alpha }, calibrate };
}

/** Options of {@link awq}. */
export interface AwqOptions extends CalibrationOption {
  /** Exponents tried between 0 and 1. Default 20. */
  readonly grid?: number | undefined;
}

/**
 * Scales weight columns by a power of their inputs' mean magnitude, the power with the least error of the layer's result, so that
 * weights that matter most are rounded best (activation-aware weight quantization, Lin et al. 2023).
 *
 * @throws ArgumentError
 */
export function awq(options: AwqOptions = {}): Method {
  checkMethod("quantize.awq", options, ["grid", "calibrate"]);
  const { grid = 20, calibrate } = options;
  requireCount("quantize.awq", "grid", grid);
  return { name: "awq", scaling: { kind: "awq", grid }, calibrate };
}

/** Options of {@link gptq}. */
export interface GptqOptions extends CalibrationOption {
  /** Added to the diagonal of the inputs' second moments, as a share of its mean. Default 0.01. */
  readonly damp?: number | undefined;
  /** Round the columns of the largest inputs first. Default true. */
  readonly actOrder?: boolean | undefined;
}

/**
 * Rounds column by column and lets the columns that follow make up for the error, as the second moments of the layer's inputs say
 * (Frantar et al. 2022). Scales are those of rounding to nearest.
 *
 * @throws ArgumentError
 */
export function gptq(options: GptqOptions = {}): Method {
  checkMethod("quantize.gptq", options, ["damp", "actOrder", "calibrate"]);
  const { damp = 0.01, actOrder = true, calibrate } = options;
  requireWithin("quantize.gptq", "damp", damp, 0, 1);
  return { name: "gptq", compensate: { damp, actOrder }, calibrate };
}

/**
 * Adds the mean error that quantization makes in a layer's result to its bias (Nagel et al. 2019). Layers without a bias stay as
 * they are.
 *
 * @throws ArgumentError
 */
export function biasCorrection(options: CalibrationOption = {}): Method {
  checkMethod("quantize.biasCorrection", options, ["calibrate"]);
  return { name: "biasCorrection", shiftBias: true, calibrate: options.calibrate };
}

function checkMethod(where: string, options: CalibrationOption, known: readonly string[]): void {
  checkOptions(where, options, known);
  if (options.calibrate !== undefined) inputsOf(where, options.calibrate);
}
