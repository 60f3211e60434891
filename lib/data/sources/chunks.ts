// Chunks of samples cut, dropped and put together.
import { allocate } from "../../tensor/dtype.js";
import { countOf, NdArray } from "../../tensor/nd-array.js";
import { gatherRows, rowsOf } from "../rows.js";
import { rowsIn, type BatchSource, type Chunk, type SampleType } from "./batch-source.js";

/** Rows `from` to before `until`, a view. */
export const sliceChunk = ({ x, y }: Chunk, from: number, until: number): Chunk => ({
  x: rowsOf(x, from, until),
  y: rowsOf(y, from, until),
});

/** Some rows in an order, copied. */
export const pickRows = ({ x, y }: Chunk, rows: readonly number[]): Chunk => ({
  x: gatherRows(x, rows),
  y: gatherRows(y, rows),
});

/** Leaves out the first `count` samples. */
export async function* dropped(chunks: AsyncIterable<Chunk>, count: number): AsyncGenerator<Chunk> {
  let left = count;
  for await (const chunk of chunks) {
    const rows = rowsIn(chunk);
    if (left >= rows) left -= rows;
    else {
      yield left === 0 ? chunk : sliceChunk(chunk, left, rows);
      left = 0;
    }
  }
}

/** Gives the first `count` samples. */
export async function* limited(chunks: AsyncIterable<Chunk>, count: number): AsyncGenerator<Chunk> {
  let left = count;
  if (left <= 0) return;
  for await (const chunk of chunks) {
    const rows = Math.min(left, rowsIn(chunk));
    yield sliceChunk(chunk, 0, rows);
    left -= rows;
    if (left === 0) return;
  }
}

/** Room for samples that come one by one. */
export class Gathered {
  private readonly x: NdArray;
  private readonly y: NdArray;
  private readonly types: Pick<BatchSource, "x" | "y">;
  private readonly room: number;
  private count = 0;

  constructor(types: Pick<BatchSource, "x" | "y">, room: number) {
    this.types = types;
    this.room = room;
    this.x = emptyRows(types.x, room);
    this.y = emptyRows(types.y, room);
  }

  /** Samples that are there. */
  get rows(): number {
    return this.count;
  }

  get isFull(): boolean {
    return this.count === this.room;
  }

  /** Copies row `row` of a chunk to the end. */
  add(chunk: Chunk, row: number): void {
    this.put(this.count++, chunk, row);
  }

  /** Copies row `row` of a chunk over the one at `at`. */
  put(at: number, chunk: Chunk, row: number): void {
    copyRow(this.x, at, chunk.x, row);
    copyRow(this.y, at, chunk.y, row);
  }

  /** All of them, a view. */
  get all(): Chunk {
    return sliceChunk({ x: this.x, y: this.y }, 0, this.count);
  }

  /** All of them as a chunk of their own, and room for new ones. */
  take(): { readonly chunk: Chunk; readonly next: Gathered } {
    return { chunk: this.all, next: new Gathered(this.types, this.room) };
  }
}

function emptyRows({ dtype, shape }: SampleType, rows: number): NdArray {
  return new NdArray(allocate(dtype, rows * countOf(shape)), [rows, ...shape], dtype);
}

function copyRow(to: NdArray, at: number, from: NdArray, row: number): void {
  const size = to.data.length / to.shape[0]!;
  if (size === 1) to.data[at] = from.data[row]!;
  else to.data.set(from.data.subarray(row * size, (row + 1) * size), at * size);
}
