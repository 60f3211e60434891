// Observers: from what a layer's input looked like in calibration to the range that its integers cover. Minimum and maximum come
// first; those that weigh clipping against resolution then read a histogram of 2,048 bins over that range.
import { requireWithin } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";

/** Lower and upper end; 0 is always within. */
export type Range = readonly [low: number, high: number];

/** Counts of values in bins of one width over a range. */
export interface Histogram {
  readonly range: Range;
  readonly counts: Float64Array;
}

/** How a range is chosen; made by `quantize.minMax` and its siblings. */
export interface Observer {
  readonly name: string;
  /** Takes the next batch's minimum and maximum in. Default: the widest seen. */
  readonly follow?: (sofar: Range, batch: Range) => Range;
  /** Narrows the range by what lies in it. Default: kept. */
  readonly choose?: (histogram: Histogram) => Range;
}

/** Bins of the histograms. */
export const bins = 2048;
const levels = 256;

/**
 * The widest range seen. Nothing is clipped.
 *
 * @example
 * quantize.minMax().name; // "minMax"
 */
export function minMax(): Observer {
  return { name: "minMax" };
}

/** Options of {@link movingAverage}. */
export interface MovingAverageOptions {
  /** Weight of the newest batch. Default 0.1. */
  readonly rate?: number | undefined;
}

/**
 * The exponential moving average of the batches' minima and maxima (Jacob et al. 2018): one strange batch does not decide.
 *
 * @throws ArgumentError
 */
export function movingAverage(options: MovingAverageOptions = {}): Observer {
  checkOptions("quantize.movingAverage", options, ["rate"]);
  const { rate = 0.1 } = options;
  requireWithin("quantize.movingAverage", "rate", rate, 0, 1);
  const mix = (a: number, b: number) => a + rate * (b - a);
  return { name: "movingAverage", follow: ([a, b], [c, d]) => [mix(a, c), mix(b, d)] };
}

/**
 * The range that holds so many percent of the values, the rest clipped in equal parts at both ends.
 *
 * @param percent above 50, at most 100. Default 99.99.
 * @throws ArgumentError
 */
export function percentile(percent = 99.99): Observer {
  if (!(percent > 50 && percent <= 100)) {
    throw new ArgumentError(`quantize.percentile: percent must be above 50 and at most 100, got ${String(percent)}`);
  }
  return {
    name: "percentile",
    choose: ({ counts, range }) => {
      const total = counts.reduce((a, b) => a + b, 0);
      const out = (total * (1 - percent / 100)) / 2;
      return [edge(counts, range, out), edge(counts.slice().reverse(), [range[1], range[0]], out)];
    },
  };
}

// Where so much of the mass lies before, walking from range[0] to range[1].
function edge(counts: Float64Array, [from, to]: Range, mass: number): number {
  let passed = 0;
  let bin = 0;
  while (bin < counts.length - 1 && passed + counts[bin]! <= mass) passed += counts[bin++]!;
  return from + ((to - from) * bin) / counts.length;
}

/** The range with the least mean squared error, clipping and rounding together. */
export function mse(): Observer {
  return { name: "mse", choose: (histogram) => narrowest(histogram, squaredError) };
}

/**
 * The range whose 256 levels keep the distribution best, by the Kullback-Leibler divergence of what is left from what was
 * (Migacz 2017). Single values that many inputs share, such as the zeros of a ReLU or what a layer makes of an empty background,
 * count as much as those around them: a level serves them whatever the range, and they would drown the rest.
 */
export function entropy(): Observer {
  return { name: "entropy", choose: (histogram) => narrowest(withoutSpikes(histogram), divergence) };
}

// Every bin limited to four times the median of the sixteen on either side.
function withoutSpikes({ range, counts }: Histogram): Histogram {
  const limited = counts.map((count, bin) => {
    if (count === 0) return 0;
    const around = counts.slice(Math.max(0, bin - 16), bin + 17).sort();
    return Math.min(count, 4 * Math.max(1, around[around.length >> 1]!));
  });
  return { range, counts: limited };
}

// The best of the range's shrunken copies; the wider one of equals.
function narrowest(histogram: Histogram, cost: (histogram: Histogram, range: Range) => number): Range {
  const [low, high] = histogram.range;
  let best = histogram.range;
  let least = Infinity;
  for (let step = 100; step >= 5; --step) {
    const range: Range = [(low * step) / 100, (high * step) / 100];
    const value = cost(histogram, range);
    if (value < least) [best, least] = [range, value];
  }
  return best;
}

const centre = ([low, high]: Range, bin: number) => low + ((high - low) * (bin + 0.5)) / bins;

function squaredError({ counts, range }: Histogram, [low, high]: Range): number {
  const scale = (high - low) / (levels - 1);
  let sum = 0;
  counts.forEach((count, bin) => {
    if (count === 0) return;
    const x = centre(range, bin);
    const q = Math.min(high, Math.max(low, low + Math.round((x - low) / scale) * scale));
    sum += count * (x - q) ** 2;
  });
  return sum;
}

// P: the histogram with what is clipped at the ends. Q: each level's mass spread evenly over its bins that hold anything; what
// was clipped is not in it, so that clipping costs.
function divergence({ counts, range }: Histogram, [low, high]: Range): number {
  const p = new Float64Array(counts.length);
  const level = new Int32Array(counts.length).fill(-1);
  const mass = new Float64Array(levels);
  const filled = new Float64Array(levels);
  const width = (range[1] - range[0]) / bins;
  const first = Math.max(0, Math.round((low - range[0]) / width));
  const last = Math.min(bins, Math.max(first + 1, Math.round((high - range[0]) / width))) - 1;
  counts.forEach((count, bin) => {
    p[Math.min(last, Math.max(first, bin))]! += count;
    if (bin < first || bin > last || count === 0) return;
    const at = Math.min(levels - 1, Math.floor(((bin - first) * levels) / (last - first + 1)));
    level[bin] = at;
    mass[at]! += count;
    filled[at]! += 1;
  });
  const total = p.reduce((a, b) => a + b, 0);
  const kept = mass.reduce((a, b) => a + b, 0);
  let sum = 0;
  p.forEach((count, bin) => {
    if (count === 0) return;
    const at = level[bin]!;
    const q = at < 0 ? 0 : mass[at]! / filled[at]! / kept;
    const share = count / total;
    sum += share * Math.log(share / Math.max(q, 1e-12));
  });
  return sum;
}

/** Scale and zero point of inputs that become integers from 0 to 255. */
export function inputSteps([low, high]: Range): { scale: number; zero: number } {
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  const scale = Math.fround((to - from) / 255);
  if (!(scale > 1e-30)) return { scale: 1, zero: 0 };
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-from / scale))) };
}
