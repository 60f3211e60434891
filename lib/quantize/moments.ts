// What methods need to know of a layer's inputs: peaks and means of the channels, and second moments Σ x xᵀ, gathered in the engine.
import { NonFiniteError } from "../errors.js";
import { array, type NdArray } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { overUses, rowsMet, type CalibrationSource, type Use } from "./calibrate.js";
import { scaleInputs } from "./smoothing.js";
import { bins, type Histogram, type Observer, type Range } from "./observers.js";
import type { Target } from "./targets.js";

/** Of every input channel. */
export interface ChannelStatistics {
  readonly peaks: Float64Array;
  readonly means: Float64Array;
}

type ByTarget<T> = Map<Target, T>;

const parametersOf = (targets: readonly Target[]) => targets.map(({ parameter }) => parameter);

// The uses that take the weight as [N, K], after the scaling of their inputs, if there is any.
function scaledUses(target: Target, uses: readonly Use[], smooth: ByTarget<NdArray>): Use[] {
  const vector = smooth.get(target);
  const met = uses.filter(({ rowsFirst }) => rowsFirst);
  if (!vector) return met;
  return met.map((use) => ({
    ...use,
    x: scaleInputs(use.x, use.x.trace.constant(vector), use.geometry !== undefined),
  }));
}

const together = (parts: readonly Tensor[], join: (a: Tensor, b: Tensor) => Tensor) => parts.reduce(join);

/** Peak and mean magnitude of every input channel; targets that no product met are left out. */
export async function channelStatistics(
  source: CalibrationSource,
  targets: readonly Target[],
): Promise<ByTarget<ChannelStatistics>> {
  const found: ByTarget<{ peaks: Float64Array; means: Float64Array; rows: number }> = new Map();
  const measure = (uses: ReadonlyMap<Parameter, readonly Use[]>) => {
    const entries = targets.flatMap((target, i) => {
      const met = scaledUses(target, uses.get(target.parameter)!, new Map());
      if (met.length === 0) return [];
      const magnitudes = met.map(({ x, geometry }) => {
        const last = geometry ? x.transpose([0, 2, 3, 1]) : x;
        return last.abs().reshape([-1, last.shape.at(-1)!]);
      });
      const peaks = together(magnitudes.map((x) => x.max(0)), (a, b) => a.maximum(b)); // prettier-ignore
      const means = together(magnitudes.map((x) => x.mean(0)), (a, b) => a.add(b)).div(magnitudes.length); // prettier-ignore
      return [[String(i), { peaks, means }] as const];
    });
    return Object.fromEntries(entries);
  };
  await overUses(source, parametersOf(targets), measure, (values, rows) => {
    for (const [i, { peaks, means }] of Object.entries(values) as [string, { peaks: NdArray; means: NdArray }][]) {
      const target = targets[Number(i)]!;
      const sofar = found.get(target) ?? { peaks: new Float64Array(peaks.size), means: new Float64Array(peaks.size), rows: 0 }; // prettier-ignore
      peaks.data.forEach((peak, c) => (sofar.peaks[c] = Math.max(sofar.peaks[c]!, peak)));
      const share = rows / (sofar.rows + rows);
      means.data.forEach((mean, c) => (sofar.means[c]! += share * (mean - sofar.means[c]!)));
      found.set(target, { ...sofar, rows: sofar.rows + rows });
    }
  });
  return found;
}

/** Second moments of a layer's inputs. */
export interface Moments {
  /** Σ x xᵀ, f64 [groups, K, K] in the engine; the caller disposes of it. */
  readonly state: Parameter;
  /** How many rows x were summed up, for each group of channels. */
  rows: number;
}

/** The second moments of every target's inputs; targets that no product met are left out. */
export async function secondMoments(
  source: CalibrationSource,
  targets: readonly Target[],
  smooth: ByTarget<NdArray>,
): Promise<ByTarget<Moments>> {
  const found: ByTarget<Moments> = new Map();
  const perSample: ByTarget<number> = new Map();
  const measure = (uses: ReadonlyMap<Parameter, readonly Use[]>) => {
    for (const target of targets) {
      const met = scaledUses(target, uses.get(target.parameter)!, smooth);
      if (met.length === 0) continue;
      const K = target.layout.inner;
      const groups = met[0]!.geometry?.groups ?? 1;
      const moments = found.get(target) ?? { state: new Parameter([groups, K, K], { dtype: "f64", trainable: false }), rows: 0 }; // prettier-ignore
      found.set(target, moments);
      const { state } = moments;
      const trace = met[0]!.x.trace;
      perSample.set(target, 0);
      const products = met.map((use) => {
        const rows = rowsMet(use, target.parameter.shape);
        perSample.set(target, perSample.get(target)! + rows[0]!.shape[0]! / use.x.shape[0]!);
        const each = rows.map((x) => x.matmul(x, { transA: true }).reshape([1, K, K]));
        return each.length === 1 ? each[0]! : trace.apply("concat", each, { axis: 0 });
      });
      const sum = together(products.map((product) => product.cast("f64")), (a, b) => a.add(b)); // prettier-ignore
      trace.update(state, trace.parameter(state).add(sum));
    }
    return {};
  };
  await overUses(source, parametersOf(targets), measure, (_, rows) => {
    for (const [target, each] of perSample) found.get(target)!.rows += rows * each;
  });
  return found;
}

/** The range of every target's inputs, as the observer chooses. */
export async function inputRanges(
  source: CalibrationSource,
  targets: readonly Target[],
  smooth: ByTarget<NdArray>,
  observer: Observer,
): Promise<ByTarget<Range>> {
  const ranges: ByTarget<Range> = new Map();
  const follow = observer.follow ?? (([a, b], [c, d]) => [Math.min(a, c), Math.max(b, d)] as const);
  const each = (
    uses: ReadonlyMap<Parameter, readonly Use[]>,
    of: (met: Use[], target: Target) => Record<string, Tensor>,
  ) =>
    Object.fromEntries(
      targets.flatMap((target, i) => {
        const met = scaledUses(target, uses.get(target.parameter)!, smooth);
        return met.length === 0 ? [] : [[String(i), of(met, target)] as const];
      }),
    );
  const extremes = (met: Use[]) => ({
    low: together(met.map(({ x }) => x.min()), (a, b) => a.minimum(b)), // prettier-ignore
    high: together(met.map(({ x }) => x.max()), (a, b) => a.maximum(b)), // prettier-ignore
  });
  await overUses(
    source,
    parametersOf(targets),
    (uses) => each(uses, extremes),
    (values) => {
      for (const [i, range] of Object.entries(values) as [string, { low: NdArray; high: NdArray }][]) {
        const batch: Range = [Math.min(0, range.low.item()), Math.max(0, range.high.item())];
        const target = targets[Number(i)]!;
        const sofar = ranges.get(target);
        ranges.set(target, sofar ? follow(sofar, batch) : batch);
      }
    },
  );
  const { choose } = observer;
  if (!choose) return sound(source.where, ranges, observer);
  const histograms: ByTarget<Histogram> = new Map();
  for (const [target, range] of ranges) histograms.set(target, { range, counts: new Float64Array(bins) });
  const count = (met: Use[], target: Target) => ({ counts: histogramOf(met, ranges.get(target)!) });
  await overUses(
    source,
    parametersOf(targets),
    (uses) => each(uses, count),
    (values) => {
      for (const [i, { counts }] of Object.entries(values) as [string, { counts: NdArray }][]) {
        const total = histograms.get(targets[Number(i)]!)!.counts;
        counts.data.forEach((n, bin) => (total[bin]! += n));
      }
    },
  );
  return sound(
    source.where,
    new Map([...histograms].map(([target, histogram]) => [target, choose(histogram)])),
    observer,
  );
}

// An observer of the caller's own may say anything.
function sound(where: string, ranges: ByTarget<Range>, { name }: Observer): ByTarget<Range> {
  for (const [target, range] of ranges) {
    const [low, high] = range;
    if (Number.isFinite(low) && Number.isFinite(high) && low <= high) continue;
    throw new NonFiniteError(
      `${where}: the observer ${name} gives the range [${low}, ${high}] for the input of "${target.name}", expected two finite numbers in order`,
    );
  }
  return ranges;
}

// f32 counts of one batch: exact up to 2²⁴.
function histogramOf(met: readonly Use[], [low, high]: Range): Tensor {
  const width = (high - low) / bins || 1;
  const empty = met[0]!.x.trace.constant(array(new Float32Array(bins)));
  return met.reduce((counts, { x }) => {
    const index = x.sub(low).div(width).floor().clamp(0, bins - 1).cast("i32").reshape([-1]); // prettier-ignore
    return counts.scatterAdd(0, index, index.mul(0).add(1).cast("f32"));
  }, empty);
}
