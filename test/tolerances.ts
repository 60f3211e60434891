// How far a result may be from its reference, by element type. Each is relative to the largest magnitude of the reference tensor,
// because the elements of a tensor come from sums over like terms: the rounding of a sum follows its terms, not their total.

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
