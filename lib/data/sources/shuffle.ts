// A random order within what fits into a buffer: each sample that comes takes the place of one that goes.
import { Gathered } from "./chunks.js";
import { rowsIn, type BatchSource, type Chunk, type ReadRequest } from "./batch-source.js";
import { uniforms } from "./random.js";

const chunkRows = 64;

/** The samples in an order that depends on seed, epoch and the order in which they come. */
export async function* shuffled(
  chunks: AsyncIterable<Chunk>,
  types: Pick<BatchSource, "x" | "y">,
  size: number,
  { seed, epoch }: ReadRequest,
): AsyncGenerator<Chunk> {
  const random = uniforms(0x5ffe, seed, epoch);
  const below = (n: number) => Math.floor(random() * n);
  const held = new Gathered(types, size);
  let out = new Gathered(types, chunkRows);
  for await (const chunk of chunks) {
    for (let row = 0; row < rowsIn(chunk); row++) {
      if (!held.isFull) {
        held.add(chunk, row);
        continue;
      }
      const at = below(size);
      out.add(held.all, at);
      held.put(at, chunk, row);
      if (!out.isFull) continue;
      const { chunk: full, next } = out.take();
      out = next;
      yield full;
    }
  }
  // What is left goes in a random order (Fisher and Yates).
  const order = Int32Array.from({ length: held.rows }, (_, i) => i);
  for (let i = order.length - 1; i >= 0; i--) {
    const at = below(i + 1);
    [order[i], order[at]] = [order[at]!, order[i]!];
    out.add(held.all, order[i]!);
    if (!out.isFull && i > 0) continue;
    const { chunk: full, next } = out.take();
    out = next;
    yield full;
  }
  if (out.rows > 0) yield out.all;
}
