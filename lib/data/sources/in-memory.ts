// Samples that work which is no training looks at, such as calibration: of a source the first ones, in memory.
import type { Dataset } from "../dataset.js";
import { isSource, type BatchSource } from "./batch-source.js";
import { Source } from "./source.js";

/** Samples of a source that stand for all of it. */
export const calibrationSamples = 1024;

/** The first samples of a source in memory. */
export async function firstOf(source: BatchSource, count = calibrationSamples): Promise<Dataset> {
  const { x, y, length, info } = source;
  const identity = () => source.identity();
  return new Source({ x, y, length, info, identity, read: (request) => source.read(request) }).toDataset(count);
}

/** Options whose calibration samples are in memory: of a source the first 1024. */
export async function withCalibration<Options extends { readonly calibrate?: unknown }>(
  options: Options,
): Promise<Options> {
  const calibrate: unknown = (options as Options | null | undefined)?.calibrate;
  return isSource(calibrate) ? { ...options, calibrate: await firstOf(calibrate) } : options;
}
