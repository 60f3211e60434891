// Several sources as one: one after the other, or mixed.
import { ArgumentError, checkOptions, ShapeError } from "../../errors.js";
import { got } from "../../names/got.js";
import { showShape } from "../../tensor/nd-array.js";
import { isSource, rowsIn, type BatchSource, type Chunk, type ReadRequest } from "./batch-source.js";
import { dropped, Gathered } from "./chunks.js";
import { uniform } from "./random.js";
import { Source } from "./source.js";

const chunkRows = 64;

/**
 * The samples of several sources, one source after the other.
 *
 * @throws ArgumentError; ShapeError where their samples are of different kinds.
 */
export function concat(...sources: readonly BatchSource[]): Source {
  const first = requireAlike("data.concat", sources);
  return new Source({
    ...first,
    length: total(sources),
    identity: () => identityOf("concat", sources),
    read: (request) => oneAfterTheOther(sources, request),
  });
}

/** Options of {@link mix}. */
export interface MixOptions {
  /** How often each source is drawn from, relative to the others. Default equally often. */
  readonly weights?: readonly number[] | undefined;
}

/**
 * The samples of several sources, each the next one of a source that is drawn at random. A source that has come to its end is not drawn
 * from any more: an epoch has all samples of all of them.
 *
 * @throws ArgumentError; ShapeError where their samples are of different kinds.
 * @example
 * const part = (v: number) => data.stream(data.fromArrays({ x: array([v, v], [2, 1]), y: array(Int32Array.of(v, v)) }));
 * const both = data.mix([part(1), part(2)], { weights: [3, 1] });
 * both.length; // 4
 */
export function mix(sources: readonly BatchSource[], options: MixOptions = {}): Source {
  const where = "data.mix";
  checkOptions(where, options, ["weights"]);
  if (!Array.isArray(sources)) throw new ArgumentError(`${where}: expected a list of sources, got ${got(sources)}`);
  const first = requireAlike(where, sources);
  const { weights = sources.map(() => 1) } = options;
  if (weights.length !== sources.length || !weights.every((weight) => Number.isFinite(weight) && weight > 0)) {
    throw new ArgumentError(
      `${where}: weights must be a number above 0 for each of the ${sources.length} sources, got ${got(weights)}`,
    );
  }
  return new Source({
    ...first,
    length: total(sources),
    identity: () => identityOf(`mix ${weights.join(" ")}`, sources),
    read: (request) => dropped(drawn(sources, weights, request), request.skip),
  });
}

async function* oneAfterTheOther(sources: readonly BatchSource[], request: ReadRequest): AsyncGenerator<Chunk> {
  let { skip } = request;
  for (const source of sources) {
    if (source.length !== undefined) {
      if (skip >= source.length) skip -= source.length;
      else {
        yield* source.read({ ...request, skip });
        skip = 0;
      }
      continue;
    }
    let rows = 0;
    const chunks = counting(source.read({ ...request, skip: 0 }), (n) => {
      rows += n;
    });
    yield* dropped(chunks, skip);
    skip = Math.max(0, skip - rows);
  }
}

async function* counting(chunks: AsyncIterable<Chunk>, note: (rows: number) => void): AsyncGenerator<Chunk> {
  for await (const chunk of chunks) {
    note(rowsIn(chunk));
    yield chunk;
  }
}

/** A source that is read sample by sample. */
class Reader {
  private readonly iterator: AsyncIterator<Chunk>;
  private chunk: Chunk | undefined;
  private row = 0;
  readonly weight: number;

  constructor(source: BatchSource, request: ReadRequest, weight: number) {
    this.weight = weight;
    this.iterator = source.read({ ...request, skip: 0 })[Symbol.asyncIterator]();
  }

  /** Hands the next sample to `take`; false at the end. */
  async next(take: (chunk: Chunk, row: number) => void): Promise<boolean> {
    while (!this.chunk || this.row >= rowsIn(this.chunk)) {
      const next = await this.iterator.next();
      if (next.done) return false;
      this.chunk = next.value;
      this.row = 0;
    }
    take(this.chunk, this.row++);
    return true;
  }

  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}

async function* drawn(
  sources: readonly BatchSource[],
  weights: readonly number[],
  request: ReadRequest,
): AsyncGenerator<Chunk> {
  const readers = sources.map((source, i) => new Reader(source, request, weights[i]!));
  let open = [...readers];
  let out = new Gathered(sources[0]!, chunkRows);
  try {
    for (let draw = 0; open.length > 0; draw++) {
      const reader = pick(open, uniform(0x313c, request.seed, request.epoch, draw));
      if (!(await reader.next((chunk, row) => out.add(chunk, row)))) open = open.filter((other) => other !== reader);
      if (!out.isFull) continue;
      const { chunk, next } = out.take();
      out = next;
      yield chunk;
    }
    if (out.rows > 0) yield out.all;
  } finally {
    for (const reader of readers) await reader.close();
  }
}

function pick(readers: readonly Reader[], share: number): Reader {
  let left = share * readers.reduce((sum, { weight }) => sum + weight, 0);
  return readers.find(({ weight }) => (left -= weight) < 0) ?? readers.at(-1)!;
}

function requireAlike(where: string, sources: readonly BatchSource[]): Pick<BatchSource, "x" | "y" | "info"> {
  const strange = (sources as readonly unknown[]).findIndex((source) => !isSource(source));
  if (sources.length === 0 || strange >= 0) {
    throw new ArgumentError(
      `${where}: expected sources such as data.csvStream gives, got ${sources.length === 0 ? "none" : got(sources[strange])}; a data set is one by data.stream(set)`,
    );
  }
  const [{ x, y, info }] = sources as readonly [BatchSource];
  const kind = (source: Pick<BatchSource, "x" | "y">) =>
    `x ${source.x.dtype} ${showShape(source.x.shape)}, y ${source.y.dtype} ${showShape(source.y.shape)}`;
  const other = sources.find((source) => kind(source) !== kind({ x, y }));
  if (!other) return { x, y, info };
  throw new ShapeError(`${where}: all sources must have samples of one kind, got ${kind({ x, y })} and ${kind(other)}`);
}

const total = (sources: readonly BatchSource[]): number | undefined =>
  sources.reduce<number | undefined>(
    (sum, { length }) => (sum === undefined || length === undefined ? undefined : sum + length),
    0,
  );

async function identityOf(how: string, sources: readonly BatchSource[]): Promise<string> {
  return `${how} (${(await Promise.all(sources.map((source) => source.identity()))).join("; ")})`;
}
