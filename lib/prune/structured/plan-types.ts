// What a plan of structured pruning tells about itself.
import type { UnitKind } from "./value.js";

/** A parameter that loses slices. */
export interface PlannedCut {
  readonly name: string;
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Units of which some go. */
export interface PlannedGroup {
  /** The layers that make them. */
  readonly name: string;
  readonly kind: UnitKind;
  readonly units: number;
  /** Numbers of the units that go, in order. */
  readonly removed: readonly number[];
  /** The score of every unit. */
  readonly scores: readonly number[];
  /** Parameters with the axis that loses slices and how many of them a unit takes. */
  readonly members: readonly { readonly name: string; readonly axis: number; readonly perUnit: number }[];
}
