// What data must be before a run starts on it: paired, finite, labels within the classes. Each check names the first
// offender, because "somewhere in 47 MB" helps nobody.

import { ArgumentError, ShapeError } from "../errors.js";
import { dropSample, firstNonFinite, nonFinite } from "../tensor/finite.js";
import type { NdArray } from "../tensor/nd-array.js";
import { rowCount } from "./rows.js";

/**
 * Checks that no element is NaN or infinite; integers pass without a look.
 *
 * @throws NonFiniteError naming the first such element by its sample and place.
 */
export function assertFinite(where: string, array: NdArray, name = "x"): void {
  const i = firstNonFinite(array.data);
  if (i >= 0) throw nonFinite(where, name, array, i, dropSample(array, i));
}

/**
 * Checks that `x` and `y` have as many rows as each other.
 *
 * @throws ShapeError with both counts.
 */
export function assertPaired(where: string, x: NdArray, y: NdArray): void {
  if (x.shape.length === 0 || y.shape.length === 0) {
    throw new ShapeError(
      `${where}: expected arrays of samples, got x [${x.shape.join(", ")}] and y [${y.shape.join(", ")}]`,
    );
  }
  if (rowCount(x) === rowCount(y)) return;
  throw new ShapeError(
    `${where}: x and y must have as many samples as each other, got ${rowCount(x)} and ${rowCount(y)} (x [${x.shape.join(", ")}], y [${y.shape.join(", ")}])`,
  );
}

/**
 * Checks that every label is a whole number from 0 to `classes` − 1.
 *
 * @throws ArgumentError naming the first that is not.
 */
export function assertLabels(where: string, y: NdArray, classes: number): void {
  const data = y.numbers();
  for (let i = 0; i < data.length; i++) {
    const label = data[i]!;
    if (Number.isInteger(label) && label >= 0 && label < classes) continue;
    throw new ArgumentError(
      `${where}: label ${label} at sample ${i} is outside the ${classes} classes, expected a whole number from 0 to ${classes - 1}`,
    );
  }
}
