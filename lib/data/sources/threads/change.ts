// Chunks changed by a function that a module exports, in a thread of its own: `source.map` with a module.
import { ArgumentError } from "../../../errors.js";
import { got } from "../../../names/got.js";
import { NdArray } from "../../../tensor/nd-array.js";
import type { Chunk } from "../batch-source.js";
import type { ChangeChunk, ChunkPlace } from "../map.js";
import { plainChunk, type PlainChunk } from "./protocol.js";

/** One chunk for a module's function. */
export interface ChangeRequest {
  readonly module: string;
  readonly chunk: PlainChunk;
  readonly place: ChunkPlace;
}

const known = new Map<string, Promise<ChangeChunk>>();

/** The changed chunk. @throws ArgumentError for a module without a function; what the function throws */
export async function* changeChunks({ module, chunk, place }: ChangeRequest): AsyncGenerator<PlainChunk> {
  let change = known.get(module);
  if (!change) known.set(module, (change = functionOf(module)));
  const made: unknown = await (await change)(chunkOf(chunk), place);
  const { x, y } = (made ?? {}) as Partial<Chunk>;
  if (!isArray(x) || !isArray(y)) {
    throw new ArgumentError(`data.map: the function of ${module} must give { x, y }, arrays, got ${got(made)}`);
  }
  yield plainChunk({ x, y });
}

/** The same chunk, of arrays. */
export const chunkOf = ({ x, y }: PlainChunk): Chunk => ({
  x: new NdArray(x.data, x.shape, x.dtype),
  y: new NdArray(y.data, y.shape, y.dtype),
});

// By its shape: the module may have a copy of this class of its own.
const isArray = (value: unknown): value is NdArray =>
  typeof value === "object" && value !== null && "data" in value && "shape" in value && "dtype" in value;

async function functionOf(module: string): Promise<ChangeChunk> {
  const { default: exported } = (await import(module)) as { readonly default?: unknown };
  // A module of CommonJS comes with its exports as default.
  const nested = (exported as { readonly default?: unknown } | undefined)?.default;
  for (const each of [exported, nested]) if (typeof each === "function") return each as ChangeChunk;
  throw new ArgumentError(
    `data.map: ${module} must export a function of samples as default, got ${got(exported)}; write export default ({ x, y }, { seed, epoch, index }) => ({ x, y })`,
  );
}
