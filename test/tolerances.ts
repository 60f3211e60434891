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
