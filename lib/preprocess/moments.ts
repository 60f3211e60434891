// Mean and deviation of a column in float64, exact enough for columns far from zero.

/** What scales are made of. */
export interface Moments {
  readonly mean: number;
  /** Population deviation (divided by n); 1 for a column that never changes. */
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
}

/**
 * Moments of at least one number, every `stride`-th from `start` on. The second pass over differences corrects the mean and keeps
 * squares of large values from cancelling.
 */
export function momentsOf(values: ArrayLike<number>, start = 0, stride = 1): Moments {
  let [count, sum, least, most] = [0, 0, Infinity, -Infinity];
  for (let i = start; i < values.length; i += stride) {
    const value = values[i]!;
    count++;
    sum += value;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  // A mean of equal numbers can be off by a rounding, and the deviation would be that rounding.
  if (least === most) return { mean: least, deviation: 1, least, most };
  const first = sum / count;
  let [drift, squares] = [0, 0];
  for (let i = start; i < values.length; i += stride) {
    const difference = values[i]! - first;
    drift += difference;
    squares += difference * difference;
  }
  const variance = Math.max(0, (squares - (drift * drift) / count) / count);
  return { mean: first + drift / count, deviation: Math.sqrt(variance) || 1, least, most };
}
