// How far a result may be from its reference, by element type. Each is relative to the largest magnitude of the reference tensor,
// because the elements of a tensor come from sums over like terms: the rounding of a sum follows its terms, not their total.
import type { DType } from "../lib/tensor/dtype.js";

/** A tolerance and why it is what it is. */
export interface Tolerance {
  readonly relative: number;
  readonly reason: string;
}

export const tolerances = {
  f32: {
    relative: 2 ** -20,
    reason:
      "8 units of the last place (2⁻²³): transcendentals are off by up to 4, sums of some hundred products by a few",
  },
  f64: {
    relative: 2 ** -46,
    reason: "64 units of the last place (2⁻⁵²): as above, against references that are rounded in the same way",
  },
} as const satisfies Record<string, Tolerance>;

/**
 * How far a float32 trajectory may be from the float64 one, in distances of PyTorch's own float32 run from it. Rounding another
 * way gives another error of the same size; ours were 0.4 to 1.5 when this was set. A wrong formula is off by thousands.
 */
export const driftFactor = 3;

/** What a relative tolerance is relative to. */
export type Scale =
  /** The wanted element itself. */
  | "element"
  /** Σ|a||b|: the same operation on the operands' absolute values, the natural unit of a sum's rounding error. */
  | "terms"
  /** The largest wanted element of the whole result. */
  | "largest";

/** |got - want| <= absolute + relative * scale. */
export interface ClassTolerance {
  readonly relative: number;
  readonly absolute: number;
  readonly scale: Scale;
}

const ulp32 = 2 ** -23;
const ulp64 = 2 ** -52;
/** Programs flush subnormal numbers to zero, operands and results alike: twice the smallest normal number may be gone. */
const tiny32 = 2 ** -125;
const tiny64 = 2 ** -1021;

export type ToleranceClass = "exact" | "rounded" | "elementary" | "formula" | "dot" | "rows";

/** Of the spec matrix: single operations are held tighter than compositions, each class for its own reason. */
export const classTolerances: Record<ToleranceClass, Record<"f32" | "f64", ClassTolerance>> = {
  // Moves, comparisons, integers: the very bits (up to the sign of a zero).
  exact: {
    f32: { relative: 0, absolute: 0, scale: "element" },
    f64: { relative: 0, absolute: 0, scale: "element" },
  },
  // One correctly rounded operation: half a unit in the last place.
  rounded: {
    f32: { relative: ulp32 / 2, absolute: tiny32, scale: "element" },
    f64: { relative: ulp64, absolute: tiny64, scale: "element" },
  },
  // Polynomials of kernels/elementwise/elementwise.h: at most 3 ulp promised there; the float64 programs use the C library, and the
  // reference in JavaScript is itself good to about 2 ulp.
  elementary: {
    f32: { relative: 3 * ulp32, absolute: tiny32, scale: "element" },
    f64: { relative: 8 * ulp64, absolute: tiny64, scale: "element" },
  },
  // A formula of a few terms that may cancel: some ulp of its largest term, which the samples keep near 1.
  formula: {
    f32: { relative: 8 * ulp32, absolute: 8 * ulp32, scale: "element" },
    f64: { relative: 32 * ulp64, absolute: 32 * ulp64, scale: "element" },
  },
  // Sums of products in blocks: a random walk of roundings stays within a few ulp of Σ|a||b|, whatever the length.
  dot: {
    f32: { relative: 8 * ulp32, absolute: tiny32, scale: "terms" },
    f64: { relative: 8 * ulp64, absolute: tiny64, scale: "terms" },
  },
  // Normalized rows (softmax, norms, attention) and their gradients: statistics, exponentials and a division in a row, each
  // some ulp of the largest value.
  rows: {
    f32: { relative: 40 * ulp32, absolute: tiny32, scale: "largest" },
    f64: { relative: 40 * ulp64, absolute: tiny64, scale: "largest" },
  },
};

/** The tolerance of a class for results of an element type; what is no float must be exact. */
export function toleranceOf(kind: ToleranceClass, dtype: DType): ClassTolerance {
  if (dtype === "f32" || dtype === "f64") return classTolerances[kind][dtype];
  // bf16 keeps 8 bits: one rounding of the float behind it.
  if (dtype === "bf16") return { relative: 2 ** -8, absolute: tiny32, scale: "element" };
  return classTolerances.exact.f32;
}

/**
 * Directional derivatives against differences of the float64 reference, relative to Σ|gradient||direction|. Central differences
 * with a step of 1e-5 err by 1e-10 of the third derivative and 1e-11 of the value; second ones with 1e-3 by 1e-6 of the fourth
 * derivative. What is left is the engine's own rounding, amplified by cancellation within the sum.
 */
export const gradientTolerances = {
  first: { f32: 1e-4, f64: 1e-7 },
  second: { f32: 5e-4, f64: 1e-4 },
} as const;
