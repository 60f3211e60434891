// A data set in memory: samples x and targets y, paired along the first dimension. Ranges are views, selections copies.

import { ArgumentError, checkOptions } from "../errors.js";
import type { NdArray } from "../tensor/nd-array.js";
import { assertFinite, assertPaired } from "./check.js";
import { permutation } from "./permutation.js";
import { gatherRows, rowCount, rowsOf } from "./rows.js";
import { requireSamples } from "./samples.js";

/** Samples `x` `[n, …]` with targets `y` `[n, …]`: what training and evaluation read. */
export interface Samples {
  readonly x: NdArray;
  readonly y: NdArray;
}

/** Options of {@link Dataset.split}. */
export interface SplitOptions {
  /** What goes to the second part: a share below 1, or a number of samples from 1 on. */
  readonly validation: number;
  /** Picks which samples. Default 0. */
  readonly seed?: number;
  /** Shuffle before cutting; `false` takes the last samples, as time series want. Default true. */
  readonly shuffle?: boolean;
}

/**
 * Samples and targets in memory.
 *
 * @throws ShapeError if x and y differ in length; NonFiniteError for NaN or infinity, naming where.
 * @example
 * const set = data.fromArrays({ x: array(pixels, [100, 784]), y: array(Uint8Array.from(labels), [100]) });
 * const { train, validation } = set.split({ validation: 0.1, seed: 7 });
 */
export class Dataset implements Samples {
  readonly x: NdArray;
  readonly y: NdArray;

  constructor(samples: Samples, where = "data.fromArrays") {
    requireSamples(where, samples);
    const { x, y } = samples;
    assertPaired(where, x, y);
    assertFinite(where, x, "x");
    assertFinite(where, y, "y");
    this.x = x;
    this.y = y;
  }

  /** Number of samples. */
  get length(): number {
    return rowCount(this.x);
  }

  /** The first `n` samples (all, if there are fewer), a view. */
  take(n: number): Dataset {
    if (!Number.isInteger(n) || n < 0)
      throw new ArgumentError(`data.take: n must be a whole number from 0 on, got ${n}`);
    return this.slice(0, n);
  }

  /** The samples from `start` to before `end`, counted as in `Array.prototype.slice`, a view. */
  slice(start = 0, end = this.length): Dataset {
    const [from, to] = [clamp(start, this.length), clamp(end, this.length)];
    const until = Math.max(from, to);
    return unchecked(rowsOf(this.x, from, until), rowsOf(this.y, from, until));
  }

  /** The samples at `indices`, in that order, copied. */
  select(indices: ArrayLike<number>): Dataset {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        throw new ArgumentError(`data.select: index ${index} at ${i} is outside the ${this.length} samples`);
      }
    }
    return unchecked(gatherRows(this.x, indices), gatherRows(this.y, indices));
  }

  /**
   * Cuts off a part for validation, picked at random but the same for the same seed.
   *
   * @throws ArgumentError if a part would be empty.
   */
  split(options: SplitOptions): { train: Dataset; validation: Dataset } {
    const where = "data.split";
    checkOptions(where, options, ["validation", "seed", "shuffle"]);
    const { validation, seed = 0, shuffle = true } = options;
    const held = validation < 1 ? Math.round(validation * this.length) : validation;
    if (!Number.isInteger(held) || held < 1 || held >= this.length) {
      throw new ArgumentError(
        `${where}: validation must be a share between 0 and 1, or a number of samples, and leave none of the parts of ${this.length} samples empty, got ${validation}`,
      );
    }
    if (!Number.isSafeInteger(seed)) throw new ArgumentError(`${where}: seed must be a whole number, got ${seed}`);
    const kept = this.length - held;
    if (!shuffle) return { train: this.slice(0, kept), validation: this.slice(kept) };
    const order = permutation(this.length, seed);
    return { train: this.select(order.subarray(0, kept)), validation: this.select(order.subarray(kept)) };
  }
}

/**
 * A data set over arrays at hand; nothing is copied.
 *
 * @throws ShapeError if x and y differ in length; NonFiniteError for NaN or infinity, naming where.
 */
export function fromArrays(samples: Samples): Dataset {
  return new Dataset(samples);
}

// Parts of a checked set need no second look (60,000 images take a tenth of a second).
function unchecked(x: NdArray, y: NdArray): Dataset {
  return Object.assign(Object.create(Dataset.prototype) as Dataset, { x, y });
}

function clamp(index: number, length: number): number {
  const whole = Math.trunc(index) || 0;
  return whole < 0 ? Math.max(0, length + whole) : Math.min(whole, length);
}
