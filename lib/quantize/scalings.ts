// The channel scales of SmoothQuant and AWQ, found from calibration (lib/quantize/smoothing.ts says what is done with them).
import { array, NdArray } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import { currentTrace } from "../tensor/trace.js";
import type { Tensor } from "../tensor/tensor.js";
import type { CalibrationSource } from "./calibrate.js";
import { fakeQuantize, fixedTable, stepsOf } from "./grid.js";
import { learnTable } from "./kmeans.js";
import { FakeForm } from "./fake-form.js";
import type { Method } from "./methods.js";
import { channelStatistics, secondMoments, type ChannelStatistics } from "./moments.js";
import { columnPeaks, scaleColumns } from "./smoothing.js";
import type { Target } from "./targets.js";
import { Parameter } from "../tensor/parameter.js";

/** 1 / s for the input channels of every target that the model's products met, f32 [C]. */
export async function scalings(
  source: CalibrationSource,
  targets: readonly Target[],
  { scaling }: Method,
): Promise<Map<Target, NdArray>> {
  const statistics = await channelStatistics(source, targets);
  const met = targets.filter((target) => statistics.has(target));
  const found = new Map<Target, NdArray>();
  if (scaling!.kind === "smooth") {
    for (const target of met) {
      const { peaks } = statistics.get(target)!;
      const columns = await columnsOf(source.where, target, peaks.length);
      const s = Float32Array.from(peaks, (peak, c) =>
        safe(peak ** scaling!.alpha / columns[c]! ** (1 - scaling!.alpha)),
      );
      found.set(target, array(s.map((value) => 1 / value)));
    }
    return found;
  }
  const moments = await secondMoments(source, met, new Map());
  try {
    for (const target of met) {
      found.set(target, await awqScales(source, target, statistics.get(target)!, moments.get(target)!, scaling!.grid));
    }
  } finally {
    for (const state of moments.values()) state.dispose();
  }
  return found;
}

// Dead channels and weights keep their scale.
const safe = (s: number): number => (Number.isFinite(s) && s > 1e-5 ? Math.min(s, 1e5) : 1);

async function columnsOf(where: string, { parameter }: Target, channels: number): Promise<Float32Array> {
  const peaks = compile(() => columnPeaks(currentTrace(where).parameter(parameter), channels), { name: where });
  try {
    return (await peaks.run()).data as Float32Array;
  } finally {
    peaks.dispose();
  }
}

// s = mean|x|ᵅ, brought to geometric mean 1 between its ends; the α with the least Σ (ΔW H ΔWᵀ), ΔW = Q(s W) / s − W.
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
      const powers = means.map((mean) => safe(mean ** (step / grid)));
      const middle = Math.sqrt(Math.max(...powers) * Math.min(...powers));
      const inverse = array(Float32Array.from(powers, (s) => middle / s));
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
  return await learnTable(where, target, new FakeForm(scheme, layout, { smooth }));
}
