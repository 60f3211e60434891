// What is known of a measured value: its median with the 10th and 90th percentile, and the interval of a share that was counted.

/** Repeated measurements of one thing. */
export interface Spread {
  readonly median: number;
  /** The 10th percentile. */
  readonly p10: number;
  /** The 90th percentile. */
  readonly p90: number;
}

/** The spread of a list of measurements; NaN for an empty one. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), p10: quantile(sorted, 0.1), p90: quantile(sorted, 0.9) };
}

/** A quantile of sorted values, between two of them by linear interpolation (type 7 of Hyndman and Fan 1996, NumPy's default). */
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return NaN;
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (place - below) * (high - low);
}

/** The 95 % interval of a share that was counted in `samples` independent trials (Wilson 1927). */
export function wilson(share: number, samples: number): readonly [low: number, high: number] {
  const z = 1.959964;
  const center = (share + z ** 2 / (2 * samples)) / (1 + z ** 2 / samples);
  const half = (z / (1 + z ** 2 / samples)) * Math.sqrt((share * (1 - share)) / samples + z ** 2 / (4 * samples ** 2));
  return [Math.max(0, Math.min(share, center - half)), Math.min(1, Math.max(share, center + half))]; // share lies within, rounding or not
}
