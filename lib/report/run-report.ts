// What a report is made of: plain data, so that it can be written to JSON, kept, and rendered again without the run.
import { requireFields } from "../guidance/arguments.js";
import type { Spread } from "./spread.js";

/** A run (or a comparison of runs) to be shown. */
export interface RunReport {
  readonly title: string;
  /** A sentence or two under the title. */
  readonly lead?: string;
  readonly dataset?: ReportedData;
  readonly machine?: { readonly isa: string; readonly threads: number; readonly node: string };
  /** Wall-clock time of the whole work. */
  readonly seconds?: number;
  /** When it was made, ISO 8601. */
  readonly created?: string;
  readonly models: readonly ModelReport[];
  /** Name of the model that the others' `speedup` is relative to. */
  readonly reference?: string;
  /** What to try next, a sentence each. */
  readonly next?: readonly string[];
}

/** What a run trained on, in numbers of samples. */
export interface ReportedData {
  readonly name: string;
  readonly train: number;
  readonly validation?: number;
  readonly test: number;
}

/** One model's part of a {@link RunReport}; sections without data are left out. */
export interface ModelReport {
  readonly name: string;
  /** What it is: `"784 → 512 → 256 → 10, ReLU"`. */
  readonly description?: string;
  readonly summary: ModelSummary;
  /** Training steps and epoch ends, in order. */
  readonly history?: { readonly steps: readonly StepPoint[]; readonly epochs?: readonly EpochPoint[] };
  /** `counts[label * classes + predicted]` on the test set, as `metrics.confusionMatrix()` gives it. */
  readonly confusion?: {
    readonly classes: number;
    readonly counts: ArrayLike<number>;
    readonly names?: readonly string[];
  };
  /** Test samples that it got wrong; the surest are shown first. */
  readonly mistakes?: readonly Mistake[];
  readonly layers?: readonly LayerWeights[];
}

/** A row of the summary table; what is not known is left out. */
export interface ModelSummary {
  /** Share of the test set that is right, 0 to 1. */
  readonly accuracy?: number;
  /** Size of that test set, which says how sure `accuracy` is. */
  readonly samples?: number;
  readonly parameters?: number;
  /** Parameters that are not exactly zero. */
  readonly nonzero?: number;
  /** Bytes on disk. */
  readonly bytes?: number;
  /** Time of one prediction at batch 1, as `report.compareSpeed` gives it. */
  readonly latencyMicros?: Spread & { readonly p99?: number };
  /** Throughput of prediction at a large batch. */
  readonly samplesPerSecond?: Spread;
  /** How many times as fast as the report's `reference`. */
  readonly speedup?: { readonly latency: Spread; readonly throughput: Spread };
  /** Time of making it: training, or compressing the model that it comes from. */
  readonly seconds?: number;
}

/** After a training step; `step` counts from 0 over the whole run. */
export interface StepPoint {
  readonly step: number;
  readonly loss: number;
  readonly lr?: number;
}

/** At the end of an epoch, after `step`: `"val.loss"`, `"val.accuracy"` and what else was measured. */
export interface EpochPoint {
  readonly step: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A sample that a model got wrong. */
export interface Mistake {
  /** Grey values row by row, 0 for paper and 255 for ink. */
  readonly pixels: Uint8Array;
  /** Default the square root of the number of pixels: a square. */
  readonly width?: number;
  readonly predicted: number;
  readonly actual: number;
  /** What the model gave to its prediction, 0 to 1. */
  readonly probability: number;
}

/** The weights of one layer. */
export interface LayerWeights {
  readonly name: string;
  readonly shape: readonly number[];
  readonly histogram: Histogram;
  /** The same layer of the model that this one was made from, before it was compressed; drawn as an outline behind. */
  readonly before?: Histogram;
}

/** Counts of values in `counts.length` equal bins from `from` to `to`; exact zeros are counted apart. */
export interface Histogram {
  readonly from: number;
  readonly to: number;
  /** The first and last bin also hold what lies beyond them. */
  readonly counts: readonly number[];
  readonly zeros: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Population deviation, zeros included. */
  readonly deviation: number;
}

/**
 * The histogram of an array of weights. Exact zeros are left out of the bins: in a pruned layer they would dwarf the rest.
 * The bins reach five deviations from the mean at most: a few outliers would squeeze the rest into one bin.
 *
 * @param bins Default 48.
 */
export function histogram(values: Iterable<number> & { readonly length: number }, bins = 48): Histogram {
  requireFields(
    "report.histogram",
    values,
    ["length", Symbol.iterator],
    "a list of numbers, such as parameter.readSync().data",
  );
  let [min, max, sum, zeros] = [Infinity, -Infinity, 0, 0];
  for (const value of values) {
    sum += value;
    if (value === 0) zeros++;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  const counts = new Array<number>(bins).fill(0);
  if (values.length === 0) return { from: 0, to: 0, counts, zeros, min: 0, max: 0, mean: 0, deviation: 0 };
  const others = Math.max(1, values.length - zeros);
  const center = sum / others; // of what is not zero
  let squares = 0;
  for (const value of values) if (value !== 0) squares += (value - center) ** 2;
  const reach = 5 * Math.sqrt(squares / others);
  const [from, to] = [Math.max(min, center - reach), Math.min(max, center + reach)];
  const scale = to > from ? bins / (to - from) : 0;
  for (const value of values) {
    if (value !== 0) counts[Math.max(0, Math.min(bins - 1, Math.floor((value - from) * scale)))]!++;
  }
  const mean = sum / values.length;
  // Σ(v − mean)² from the sum about another centre, zeros added: no third pass.
  const variance = (squares + others * (center - mean) ** 2 + zeros * mean ** 2) / values.length;
  return { from, to, counts, zeros, min, max, mean, deviation: zeros === values.length ? 0 : Math.sqrt(variance) };
}
