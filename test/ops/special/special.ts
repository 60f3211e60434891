// What is said of an operation, loss, method or distillation term at its special points: kinks, bounds, ties, zeros, large values,
// infinities, NaN, masked rows. The cases are those of test/golden/generators/special.py, values and gradients in float64 by PyTorch.
import type { NativeAttrs } from "../../../lib/native/index.js";
import type { DType, Tensor } from "../../../lib/tensor/index.js";
import type { ToleranceClass } from "../../tolerances.js";

export interface Golden {
  readonly kind: "golden";
  /** The function, where it is not the engine's operation of that name. */
  readonly run?: (inputs: readonly Tensor[], attrs: NativeAttrs) => Tensor;
  /** Element types that floating-point inputs are tried in. */
  readonly dtypes: readonly DType[];
  readonly tolerance: ToleranceClass;
  /** Where an elementwise operation differs on purpose: what it gives at `x` instead, of a gradient `dy`. See docs/guide/special-points.md. */
  readonly ours?: (x: number, dy: number) => { readonly value?: number; readonly gradient?: number } | undefined;
}

/** What has no special points of its own. */
export interface None {
  readonly kind: "none";
  readonly why: string;
}

/** The gradient of another one, whose cases run it. */
export interface Through {
  readonly kind: "through";
  readonly of: string;
}

export type Special = Golden | None | Through;

type Options = Omit<Golden, "kind">;

/** In f32 alone. */
export const f32 = (tolerance: ToleranceClass, run?: Options["run"]): Golden => ({
  kind: "golden",
  dtypes: ["f32"],
  tolerance,
  ...(run && { run }),
});

/** In f32 and f64. */
export const floats = (tolerance: ToleranceClass, run?: Options["run"]): Golden => ({
  ...f32(tolerance, run),
  dtypes: ["f32", "f64"],
});

/** With {@link Golden.ours}. */
export const differing = (special: Golden, ours: NonNullable<Golden["ours"]>): Golden => ({ ...special, ours });

/** NaN in, NaN out: in the value, the gradient, or both. */
export const keepsNaN = (special: Golden, what: "value" | "gradient"): Golden =>
  differing(special, (x) => (Number.isNaN(x) ? { [what]: NaN } : undefined));

export const none = (why: string): None => ({ kind: "none", why });
export const through = (of: string): Through => ({ kind: "through", of });
