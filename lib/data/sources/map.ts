// Samples changed by a function, some chunks at a time, in order.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import { NdArray } from "../../tensor/nd-array.js";
import { checkChunk, rowsIn, type BatchSource, type Chunk, type ReadRequest, type SampleType } from "./batch-source.js";

/** Where a chunk stands. */
export interface ChunkPlace {
  readonly seed: number;
  readonly epoch: number;
  /** The place of its first sample in the epoch. */
  readonly index: number;
}

/** Changes samples, row by row and the same every time. */
export type ChangeChunk = (chunk: Chunk, place: ChunkPlace) => Chunk | Promise<Chunk>;

/** Options of {@link Source.map}. */
export interface MapOptions {
  /** Element type and shape of x afterwards. Default as before. */
  readonly x?: SampleType | undefined;
  /** Of y. Default as before. */
  readonly y?: SampleType | undefined;
  /** What the function does, for checkpoints: another name is another source. Default the function's own name. */
  readonly name?: string | undefined;
  /** How many chunks are in work at a time. Default 1; for a module as many as there are threads for it, up to 4. */
  readonly concurrency?: number | undefined;
}

/** Changes chunks, up to `concurrency` at a time, and gives them in order. */
export async function* mapped(
  chunks: AsyncIterable<Chunk>,
  types: Pick<BatchSource, "x" | "y">,
  change: ChangeChunk,
  { seed, epoch, skip }: ReadRequest,
  concurrency: number,
): AsyncGenerator<Chunk> {
  const working: Promise<Chunk>[] = [];
  let index = skip;
  for await (const chunk of chunks) {
    const place = { seed, epoch, index };
    const rows = rowsIn(chunk);
    index += rows;
    const work = Promise.resolve(change(chunk, place)).then((changed) => checked(types, changed, rows));
    work.catch(() => undefined); // thrown where it is awaited
    working.push(work);
    if (working.length >= concurrency) yield await working.shift()!;
  }
  for (const work of working) yield await work;
}

function checked(types: Pick<BatchSource, "x" | "y">, changed: Chunk, rows: number): Chunk {
  if (!(changed?.x instanceof NdArray && changed.y instanceof NdArray)) {
    throw new ArgumentError(`data.map: the function must give { x, y }, arrays of ${rows} rows, got ${got(changed)}`);
  }
  checkChunk("data.map", types, changed);
  if (rowsIn(changed) === rows) return changed;
  throw new ArgumentError(
    `data.map: the function got ${rows} samples and gave ${rowsIn(changed)}; give as many (filter leaves samples out)`,
  );
}
