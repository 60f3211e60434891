// Long curves cut down to what a chart can show. A run has thousands of steps and a chart a few hundred pixels: each bucket
// of steps becomes its mean, with the least and largest value around it, so that no spike is hidden.

/** A bucket of a curve: the mean at its middle step, and the range within. */
export interface Bucket {
  readonly step: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** At most `limit` buckets of equal width in steps; values that are not finite are left out. */
export function thin(points: readonly { readonly step: number; readonly value: number }[], limit: number): Bucket[] {
  const finite = points.filter(({ value }) => Number.isFinite(value));
  const stride = Math.max(1, Math.ceil(finite.length / limit));
  const buckets: Bucket[] = [];
  for (let start = 0; start < finite.length; start += stride) {
    const bucket = finite.slice(start, start + stride);
    const values = bucket.map(({ value }) => value);
    buckets.push({
      step: (bucket[0]!.step + bucket.at(-1)!.step) / 2,
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      low: Math.min(...values),
      high: Math.max(...values),
    });
  }
  return buckets;
}
