// A data set in memory: samples x and targets y, paired along the first dimension. Ranges are views, selections copies.

import { requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { checkedInfo, type OutputInfo } from "../info/index.js";
import type { Preprocessing } from "../preprocess/index.js";
import type { NdArray } from "../tensor/nd-array.js";
import { assertFinite, assertPaired } from "./check.js";
import { permutation } from "./permutation.js";
import { gatherRows, rowCount, rowsOf } from "./rows.js";
import { requireSamples } from "./samples.js";
import { requireFields } from "../guidance/arguments.js";
import { got } from "../names/got.js";

/** Samples `x` `[n, …]` with targets `y` `[n, …]`: what training and evaluation read. */
export interface Samples {
  readonly x: NdArray;
  readonly y: NdArray;
  /** What is known of them; a model that is trained on them knows it from then on. */
  readonly info?: SamplesInfo | undefined;
}

/** What is known of samples: what y stands for, and how x is to be read. */
export interface SamplesInfo extends OutputInfo {
  /** A table's rule has been applied to x already; `"normalize"` is part of the model, which takes x as it is. */
  readonly preprocessing?: Preprocessing | undefined;
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
  readonly info: SamplesInfo;

  constructor(samples: Samples, where = "data.fromArrays") {
    requireSamples(where, samples);
    const { x, y, info = {} } = samples;
    assertPaired(where, x, y);
    assertFinite(where, x, "x");
    assertFinite(where, y, "y");
    checkedInfo(`${where}: info`, info);
    this.x = x;
    this.y = y;
    this.info = info;
  }

  /** Number of samples. */
  get length(): number {
    return rowCount(this.x);
  }

  /** The first `n` samples (all, if there are fewer), a view. */
  take(n: number): Dataset {
    requireCount("data.take", "n", n, 0);
    return this.slice(0, n);
  }

  /** The samples from `start` to before `end`, counted as in `Array.prototype.slice`, a view. */
  slice(start = 0, end = this.length): Dataset {
    const [from, to] = [clamp(start, this.length), clamp(end, this.length)];
    const until = Math.max(from, to);
    return this.part(rowsOf(this.x, from, until), rowsOf(this.y, from, until));
  }

  /** The samples at `indices`, in that order, copied. */
  select(indices: ArrayLike<number>): Dataset {
    requireFields("data.select", indices, ["length"], "the numbers of samples, such as [0, 2]");
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        throw new ArgumentError(`data.select: index ${index} at ${i} is outside the ${this.length} samples`);
      }
    }
    return this.part(gatherRows(this.x, indices), gatherRows(this.y, indices));
  }

  /**
   * Cuts off a part for validation, picked at random but the same for the same seed.
   *
   * @throws ArgumentError if a part would be empty.
   */
  split(options: SplitOptions): { train: Dataset; validation: Dataset } {
    const [train, validation] = splitIndices("data.split", this.length, options);
    return { train: this.select(train), validation: this.select(validation) };
  }

  // Parts of a checked set need no second look (60,000 images take a tenth of a second).
  private part(x: NdArray, y: NdArray): Dataset {
    return Object.assign(Object.create(Dataset.prototype) as Dataset, { x, y, info: this.info });
  }
}

/** Which of `length` samples go to the first part and which to the second. @throws ArgumentError if one would be empty */
export function splitIndices(where: string, length: number, options: SplitOptions): [Int32Array, Int32Array] {
  if (typeof options === "number") {
    throw new ArgumentError(
      `${where}: expected an object of options, got ${got(options)}; write split({ validation: ${partLeft(options)} })`,
    );
  }
  checkOptions(where, options, ["validation", "seed", "shuffle"]);
  const { validation, seed = 0, shuffle = true } = options;
  const held = typeof validation === "number" && validation < 1 ? Math.round(validation * length) : validation;
  if (typeof validation !== "number" || !Number.isInteger(held) || held < 1 || held >= length) {
    throw new ArgumentError(
      `${where}: validation must be a share between 0 and 1, or a number of samples, and leave none of the parts of ${length} samples empty, got ${got(validation)}`,
    );
  }
  if (!Number.isSafeInteger(seed)) throw new ArgumentError(`${where}: seed must be a whole number, got ${got(seed)}`);
  const order = shuffle ? permutation(length, seed) : Int32Array.from({ length }, (_, i) => i);
  return [order.subarray(0, length - held), order.subarray(length - held)];
}

/**
 * A data set over arrays at hand; nothing is copied. A model reads x as the numbers they are, bytes as 0 to 255, unless `info`
 * has a rule.
 *
 * @param info what y stands for and how x is to be read: `{ classes, preprocessing }`.
 * @throws ShapeError if x and y differ in length; NonFiniteError for NaN or infinity, naming where.
 * @example
 * const set = data.fromArrays(
 *   { x: array([1, 2, 3, 4], [2, 2]), y: array(Uint8Array.of(0, 1)) },
 *   { classes: ["stays", "leaves"] },
 * );
 * set.length; // 2
 */
export function fromArrays(samples: Samples, info?: SamplesInfo): Dataset {
  return new Dataset(info ? { ...samples, info } : samples);
}

function clamp(index: number, length: number): number {
  const whole = Math.trunc(index) || 0;
  return whole < 0 ? Math.max(0, length + whole) : Math.min(whole, length);
}

// Whoever writes split(0.8) as elsewhere means the part for training.
const partLeft = (share: number): number => (share > 0.5 && share < 1 ? Number((1 - share).toFixed(6)) : share);
