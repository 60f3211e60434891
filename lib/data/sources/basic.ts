// Sources over what a program has: data sets in memory, and generators of its own.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { NdArray } from "../../tensor/nd-array.js";
import { Dataset, type Samples, type SamplesInfo } from "../dataset.js";
import { fingerprint } from "../fingerprint.js";
import { permutation } from "../permutation.js";
import { gatherRows, rowsOf } from "../rows.js";
import { checkChunk, isSource, type Chunk, type ReadRequest, type SampleType } from "./batch-source.js";
import { dropped } from "./chunks.js";
import { uniform } from "./random.js";
import { Source } from "./source.js";

const chunkRows = 128;

/** Options of {@link stream}. */
export interface StreamOptions {
  /** A new order for every epoch. Default false. */
  readonly shuffle?: boolean | undefined;
}

/**
 * A data set in memory as a source, for what sources can do: augmentation, mixing, changes on the way.
 *
 * @throws what `data.fromArrays` throws.
 */
export function stream(samples: Samples, options: StreamOptions = {}): Source {
  const where = "data.stream";
  checkOptions(where, options, ["shuffle"]);
  const { shuffle = false } = options;
  const set = samples instanceof Dataset ? samples : new Dataset(samples, where);
  const { x, y, info, length } = set;
  const typeOf = ({ dtype, shape }: NdArray): SampleType => ({ dtype, shape: shape.slice(1) });
  return new Source({
    x: typeOf(x),
    y: typeOf(y),
    length,
    info,
    identity: async () => `arrays ${await fingerprint(where, x)} ${await fingerprint(where, y)}${shuffle ? " shuffled" : ""}`, // prettier-ignore
    read: (request) => rowsInOrder(set, shuffle ? orderOf(length, request) : undefined, request.skip),
  });
}

/** An order of `length` samples that depends on seed and epoch. */
export const orderOf = (length: number, { seed, epoch }: ReadRequest): Int32Array =>
  permutation(length, Math.floor(uniform(0x0bde, seed, epoch) * 2 ** 32));

// eslint-disable-next-line @typescript-eslint/require-await -- as all sources are read
async function* rowsInOrder({ x, y, length }: Dataset, order: Int32Array | undefined, skip: number) {
  for (let from = skip; from < length; from += chunkRows) {
    const until = Math.min(length, from + chunkRows);
    if (!order) yield { x: rowsOf(x, from, until), y: rowsOf(y, from, until) };
    else {
      const rows = order.subarray(from, until);
      yield { x: gatherRows(x, rows), y: gatherRows(y, rows) };
    }
  }
}

/** Options of {@link fromGenerator}. */
export interface GeneratorOptions {
  /** Element type and shape of one sample's x, such as `{ dtype: "f32", shape: [4] }`. */
  readonly x: SampleType;
  /** Of its y; a class is `{ dtype: "i32", shape: [] }`. */
  readonly y: SampleType;
  /** What the samples are, for checkpoints: another name is another source. */
  readonly name: string;
  /** Samples of an epoch. Default unknown. */
  readonly length?: number | undefined;
  /** What y stands for and how x is to be read. */
  readonly info?: SamplesInfo | undefined;
}

/**
 * Samples from an asynchronous generator of your own, as many at a time as it likes.
 *
 * @param generate gives chunks { x [n, …], y [n, …] }. They have to depend on `seed` and `epoch` alone: a run that goes on asks for the
 *   epoch again and leaves out what it had.
 * @throws ArgumentError; when read, ShapeError for a chunk that is not what the options say.
 * @example
 * const source = data.fromGenerator(
 *   { x: { dtype: "f32", shape: [2] }, y: { dtype: "f32", shape: [1] }, name: "sums", length: 64 },
 *   async function* ({ epoch }) {
 *     for (let i = 0; i < 64; i++) yield { x: array([i, epoch], [1, 2]), y: array([i + epoch], [1, 1]) };
 *   },
 * );
 */
export function fromGenerator(
  options: GeneratorOptions,
  generate: (request: { readonly seed: number; readonly epoch: number; readonly signal?: AbortSignal | undefined }) => AsyncIterable<Chunk> | Iterable<Chunk>, // prettier-ignore
): Source {
  const where = "data.fromGenerator";
  checkOptions(where, options, ["x", "y", "name", "length", "info"]);
  const { x, y, name, length, info } = options;
  if (typeof name !== "string" || name === "") {
    throw new ArgumentError(`${where}: name must be a text that says what the samples are, got ${got(name)}`);
  }
  if (typeof generate !== "function") {
    throw new ArgumentError(`${where}: expected a generator function, got ${got(generate)}`);
  }
  const parts = { x, y, length, info, identity: () => Promise.resolve(`generator ${name}`) };
  const read = (request: ReadRequest) => dropped(checkedChunks(where, parts, generate(request)), request.skip);
  if (!isSource({ ...parts, read })) {
    throw new ArgumentError(`${where}: x and y must say element type and shape, such as { dtype: "f32", shape: [4] }`);
  }
  return new Source({ ...parts, read });
}

async function* checkedChunks(
  where: string,
  types: { readonly x: SampleType; readonly y: SampleType },
  chunks: AsyncIterable<Chunk> | Iterable<Chunk>,
): AsyncGenerator<Chunk> {
  for await (const chunk of chunks) {
    if (!(chunk?.x instanceof NdArray && chunk.y instanceof NdArray)) {
      throw new ArgumentError(
        `${where}: the generator must give { x, y }, arrays with a row a sample, got ${got(chunk)}`,
      );
    }
    checkChunk(where, types, chunk);
    if (chunk.x.shape[0]! > 0) yield chunk;
  }
}
