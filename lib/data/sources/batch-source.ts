// What training and evaluation read where samples do not fit in memory: samples in order, some at a time. A source has no state: what
// comes is a function of seed, epoch and position, so that a run goes on from the sample at which it stopped.
import type { DType } from "../../tensor/dtype.js";
import { showShape, type NdArray, type Shape } from "../../tensor/nd-array.js";
import { ShapeError } from "../../errors.js";
import type { SamplesInfo } from "../dataset.js";

/** Element type and shape of one sample's part. */
export interface SampleType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Consecutive samples: x [n, …] and y [n, …], any n from 1 on. */
export interface Chunk {
  readonly x: NdArray;
  readonly y: NdArray;
}

/** Which samples are asked for. */
export interface ReadRequest {
  /** Decides the order where there is one to decide, and what is drawn at random. */
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
  /** Samples of the epoch that are left out at its start: those that were read before. */
  readonly skip: number;
  /** Gives the reading up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Samples in order. Whoever implements it promises that `read` gives the same samples for the same seed and epoch, and with `skip: n` all
 * but the first n of them; `train.fit`, `train.evaluate` and `prune` take it beside data sets in memory.
 */
export interface BatchSource {
  readonly x: SampleType;
  readonly y: SampleType;
  /** Samples of an epoch; undefined where only reading tells. */
  readonly length?: number | undefined;
  /** What is known of the samples, as of a data set. */
  readonly info?: SamplesInfo | undefined;
  /** By which a checkpoint knows them again: a text that is another one for other samples or another order. */
  identity(): Promise<string>;
  /** The samples of an epoch. */
  read(request: ReadRequest): AsyncIterable<Chunk>;
}

/** Whether a value is a {@link BatchSource}. */
export function isSource(value: unknown): value is BatchSource {
  const { read, identity, x, y } = (value ?? {}) as Partial<BatchSource>;
  return typeof read === "function" && typeof identity === "function" && isType(x) && isType(y);
}

const isType = (type: unknown): boolean =>
  typeof type === "object" && type !== null && "dtype" in type && "shape" in type && !("data" in type);

/** Rows of a chunk. */
export const rowsIn = ({ x }: Chunk): number => x.shape[0] ?? 0;

/** @throws ShapeError for a chunk that is not what its source says. */
export function checkChunk(where: string, source: Pick<BatchSource, "x" | "y">, chunk: Chunk): void {
  for (const name of ["x", "y"] as const) {
    const { dtype, shape } = chunk[name];
    const wanted = source[name];
    const fits = dtype === wanted.dtype && showShape(shape.slice(1)) === showShape(wanted.shape);
    if (fits && shape.length > 0 && shape[0] === rowsIn(chunk)) continue;
    throw new ShapeError(
      `${where}: the source says ${name} is ${wanted.dtype} [n, ${wanted.shape.join(", ")}] with as many rows in x and y, and gave x ${chunk.x.dtype} ${showShape(chunk.x.shape)}, y ${chunk.y.dtype} ${showShape(chunk.y.shape)}`,
    );
  }
}
