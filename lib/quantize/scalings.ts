// The channel scales of SmoothQuant and AWQ, found from calibration (lib/quantize/smoothing.ts says what is done with them).
import { array, NdArray } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import { currentTrace } from "../tensor/trace.js";
import type { Tensor } from "../tensor/tensor.js";
import type { CalibrationSource } from "./calibrate.js";
import { fakeQuantize, fixedTable, stepsOf } from "./grid.js";
import { learnTable } from "./kmeans.js";
import { FakeQuantizedParametrization } from "./fake-quantized-parametrization.js";
import type { Method } from "./methods.js";
import { channelStatistics, secondMoments, type ChannelStatistics } from "./moments.js";
import { columnPeaks, scaleColumns } from "./smoothing.js";
import type { Target } from "./targets.js";
import { Parameter } from "../tensor/parameter.js";

/** 1 / s for the input channels of every target that the model's products met, f32 [C]; targets with nothing to scale are left out. */
export async function scalings(
  source: CalibrationSource,
  targets: readonly Target[],
  { scaling }: Method,
): Promise<Map<Target, NdArray>> {
  const statistics = await channelStatistics(source, targets);
  const met = targets.filter((target) => statistics.get(target)?.peaks.some((peak) => peak > 0));
  const found = new Map<Target, NdArray>();
  if (scaling!.kind === "smooth") {
    for (const target of met) {
      const { peaks } = statistics.get(target)!;
      const s = smoothScales(peaks, await columnsOf(source.where, target, peaks.length), scaling!.alpha);
      found.set(target, array(Float32Array.from(s, (value) => 1 / value)));
    }
    return found;
  }
  const moments = await secondMoments(source, met, new Map());
  try {
    for (const target of met) {
      const { state } = moments.get(target)!;
      found.set(target, await awqScales(source, target, statistics.get(target)!, state, scaling!.grid));
    }
  } finally {
    for (const { state } of moments.values()) state.dispose();
  }
  return found;
}

const bounded = (s: number): number => Math.min(1e5, Math.max(1e-5, s));

/**
 * s = max|x|ᵅ / max|w|¹⁻ᵅ of every channel that has both. A channel whose weights are all 0 takes part in nothing: its inputs are
 * made as small as the smallest of the others, so that they do not widen the range. A channel that was never seen has the largest
 * s: its weights are then rounded no worse than without scales.
 */
export function smoothScales(peaks: ArrayLike<number>, columns: ArrayLike<number>, alpha: number): number[] {
  const s = Array.from(peaks, (peak, c) =>
    peak > 0 && columns[c]! > 0 ? bounded(peak ** alpha / columns[c]! ** (1 - alpha)) : 0,
  );
  const largest = Math.max(...s);
  if (largest === 0) return s.map(() => 1);
  const least = s.reduce((sofar, value, c) => (value > 0 ? Math.min(sofar, peaks[c]! / value) : sofar), Infinity);
  return s.map((value, c) => {
    if (value > 0) return value;
    return columns[c]! > 0 || peaks[c] === 0 ? largest : bounded(peaks[c]! / least);
  });
}

async function columnsOf(where: string, { parameter }: Target, channels: number): Promise<Float32Array> {
  const peaks = compile(() => columnPeaks(currentTrace(where).parameter(parameter), channels), { name: where });
  try {
    return (await peaks.run()).data as Float32Array;
  } finally {
    peaks.dispose();
  }
}

/** 1 / s with s = mean|x|ᵅ brought to geometric mean 1 between its ends; channels that were never seen have the largest s. */
export function activationScales(means: Float64Array, alpha: number): Float32Array {
  const powers = Array.from(means, (mean) => (mean > 0 ? bounded(mean ** alpha) : 0));
  const largest = Math.max(...powers);
  if (largest === 0) return new Float32Array(means.length).fill(1);
  const least = powers.reduce((sofar, power) => (power > 0 ? Math.min(sofar, power) : sofar), Infinity);
  const middle = Math.sqrt(largest * least);
  return Float32Array.from(powers, (power) => middle / (power > 0 ? power : largest));
}

// The α with the least Σ (ΔW H ΔWᵀ), ΔW = Q(s W) / s − W.
async function awqScales(
  { where, signal }: CalibrationSource,
  target: Target,
  { means }: ChannelStatistics,
  moments: Parameter,
  grid: number,
): Promise<NdArray> {
  const { scheme, layout, parameter } = target;
  const cost = compile(
    (inverse: Tensor, table: Tensor) => {
      const w = currentTrace(where).parameter(parameter);
      const scaled = scaleColumns(w, inverse.reciprocal());
      const entries = scheme.grid.kind === "uniform" ? undefined : table;
      const rounded = fakeQuantize(scaled, layout, scheme, stepsOf(scaled, layout, scheme, entries), false);
      const [groups, K] = moments.shape as [number, number, number];
      const error = scaleColumns(rounded, inverse).sub(w).reshape([groups, -1, K]).cast("f64");
      return error.matmul(w.trace.parameter(moments)).mul(error).sum();
    },
    { name: where },
  );
  const costOf = async (inverse: NdArray) =>
    (await cost.run(inverse, await tableFor(where, target, inverse), { signal })).item();
  try {
    let best = array(new Float32Array(means.length).fill(1));
    let least = await costOf(best);
    for (let step = 1; step <= grid; ++step) {
      const inverse = array(activationScales(means, step / grid));
      const value = await costOf(inverse);
      if (value < least) [best, least] = [inverse, value];
    }
    return best;
  } finally {
    cost.dispose();
  }
}

// A learned table fits the scaled weight.
async function tableFor(where: string, target: Target, inverse: NdArray): Promise<NdArray> {
  const { scheme, layout } = target;
  if (scheme.grid.kind !== "learned") return fixedTable(scheme.grid) ?? array([0]);
  using smooth = new Parameter(inverse.shape, { trainable: false });
  smooth.write(inverse);
  return await learnTable(where, target, new FakeQuantizedParametrization(scheme, layout, { smooth }));
}
