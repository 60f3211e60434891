// What a run reads: samples in memory, or a source that is read while it goes on.
import { ArgumentError } from "../../errors.js";
import { Dataset, isSource, type BatchSource, type Samples, type SamplesInfo, type SampleType } from "../../data/index.js"; // prettier-ignore
import { Source } from "../../data/sources/source.js";
import { got } from "../../names/got.js";
import { requireSamples } from "../../data/samples.js";
import type { NdArray } from "../../tensor/nd-array.js";
import type { Feed, FeedOptions } from "./feed.js";
import { MemoryFeed } from "./memory-feed.js";
import { StreamFeed } from "./stream-feed.js";

/** What a run trains on or is validated on. */
export type RunData = Dataset | BatchSource;

/** @throws ArgumentError, ShapeError, NonFiniteError for data that no run can start on. */
export function checkedData(where: string, given: Samples | BatchSource): RunData {
  if (isSource(given)) return given;
  return checkedDataset(where, given);
}

/** @throws ArgumentError, ShapeError, NonFiniteError for what is no data set in memory. */
export function checkedDataset(where: string, samples: unknown): Dataset {
  requireSamples(where, samples);
  return samples instanceof Dataset ? samples : new Dataset(samples as Samples, where);
}

/** The part of the training samples that is measured. @throws ArgumentError */
export function trainingPart(at: string, training: unknown, data: RunData): RunData | undefined {
  if (training === undefined || training === false) return undefined;
  if (training === true) return data;
  if (!Number.isSafeInteger(training) || (training as number) < 1) {
    throw new ArgumentError(`${at}: training must be true or a number of samples from 1 on, got ${got(training)}`);
  }
  if (!isSource(data)) return data.take(Math.min(training as number, data.length));
  if (data instanceof Source) return data.take(training as number);
  throw new ArgumentError(`${at}: training: a source of your own is measured whole: training: true`);
}

/** Samples of an epoch; undefined where only reading tells. */
export const lengthOf = (data: RunData): number | undefined => data.length;

/** What is known of the samples. */
export const infoOfData = (data: RunData): SamplesInfo => data.info ?? {};

/** Element types and shapes of a sample, by column. */
export function typesOfData(data: RunData): { readonly x: SampleType; readonly y: SampleType } {
  if (isSource(data)) return { x: data.x, y: data.y };
  const typeOf = ({ dtype, shape }: NdArray): SampleType => ({ dtype, shape: shape.slice(1) });
  return { x: typeOf(data.x), y: typeOf(data.y) };
}

/** The batches of data. @throws ArgumentError for columns beside a source. */
export function feedOf(data: RunData, options: FeedOptions): Feed {
  const { where, columns = {}, names = ["x", "y"], rows, shuffle, dropLast, keepTargets } = options;
  if (!isSource(data)) {
    const own = Object.fromEntries(names.map((name) => [name, data[name]]));
    const targets = keepTargets ? data.y : undefined;
    return new MemoryFeed({ columns: { ...own, ...columns }, rows, shuffle, dropLast, targets });
  }
  if (Object.keys(columns).length > 0) {
    throw new ArgumentError(
      `${where}: a cached teacher keeps scores for samples in memory, and the samples come from a source; give the teacher itself, without distill.cached`,
    );
  }
  return new StreamFeed(data, { ...options, names });
}
