// A source as batches: while the engine takes steps from one half of a buffer, the other half is filled. Nothing is read further ahead,
// so that memory stays the same however slow or fast the source is.
import { assertFinite } from "../../data/check.js";
import type { BatchSource, Chunk } from "../../data/index.js";
import { checkChunk, rowsIn } from "../../data/sources/batch-source.js";
import { sliceChunk } from "../../data/sources/chunks.js";
import { ArgumentError } from "../../errors.js";
import { addon, call, type NativeDataset } from "../../native/index.js";
import { allocate, sizeOf } from "../../tensor/dtype.js";
import { countOf, NdArray } from "../../tensor/nd-array.js";
import { rowsOf } from "../../data/rows.js";
import type { Feed, FeedOptions, Stretch } from "./feed.js";

/** How {@link StreamFeed} reads. */
export interface StreamFeedOptions extends FeedOptions {
  readonly names: readonly ("x" | "y")[];
}

// What one half holds at most, and in steps.
const mostBytes = 16 * 2 ** 20;
const mostSteps = 128;

/** Samples that are in the engine: rows `from` to before `until` are still to be used. */
interface Half {
  readonly samples: NativeDataset;
  /** Targets, where they are kept. */
  readonly y: NdArray | undefined;
  from: number;
  until: number;
}

/** The batches of a source. */
export class StreamFeed implements Feed {
  readonly stepsPerEpoch: number | undefined;
  readonly rowsOfSteps: readonly number[];
  private readonly source: BatchSource;
  private readonly options: StreamFeedOptions;
  private readonly capacity: number; // rows of a half
  private readonly halves: readonly [Half, Half];
  private current = 0;
  private filling: Promise<void> | undefined;
  private reading: { readonly epoch: number; readonly chunks: AsyncIterator<Chunk> } | undefined;
  private rest: Chunk | undefined;
  /** The source has given the last sample of the epoch. */
  private hasEnded = false;
  /** The sample of the epoch that comes next out of the halves. */
  private position = { epoch: -1, sample: 0 };
  private readonly stopped: Promise<void>;

  constructor(source: BatchSource, options: StreamFeedOptions) {
    this.source = source;
    this.options = options;
    const { rows, dropLast, cancellation } = options;
    const { length } = source;
    if (length !== undefined) {
      const rest = dropLast ? 0 : length % rows;
      this.stepsPerEpoch = Math.floor(length / rows) + (rest > 0 ? 1 : 0);
      this.rowsOfSteps = [...(length >= rows ? [rows] : []), ...(rest > 0 ? [rest] : [])];
    } else {
      this.stepsPerEpoch = undefined;
      this.rowsOfSteps = [rows];
    }
    const bytes = options.names.reduce(
      (sum, name) => sum + countOf(source[name].shape) * sizeOf[source[name].dtype],
      0,
    );
    const steps = Math.max(1, Math.min(mostSteps, Math.floor(mostBytes / Math.max(1, bytes * rows))));
    this.capacity = rows * steps;
    this.halves = [this.half(), this.half()];
    this.stopped = new Promise((resolve) => cancellation.onRaise(resolve));
  }

  async next(epoch: number, first: number, most: number): Promise<Stretch | undefined> {
    const { rows, dropLast } = this.options;
    const sample = first * rows;
    if (this.position.epoch !== epoch || this.position.sample !== sample) await this.begin(epoch, sample);
    let half = this.halves[this.current]!;
    if (half.from === half.until) {
      await Promise.race([this.fill(most), this.stopped]);
      if (this.options.cancellation.isRaised) return undefined;
      this.filling = undefined;
      this.current = 1 - this.current;
      half = this.halves[this.current]!;
    }
    const left = half.until - half.from;
    if (left === 0 || (left < rows && dropLast)) {
      this.requireSome(sample);
      return;
    }
    const [steps, each] = left < rows ? [1, left] : [Math.min(most, Math.floor(left / rows)), rows];
    const firstRow = half.from;
    half.from += steps * each;
    this.position.sample += steps * each;
    const y = half.y && rowsOf(half.y, firstRow, half.from);
    // The other half is empty: the one before this was used up.
    if (half.from === half.until && !this.hasEnded) this.fill(Math.max(most, steps)).catch(() => undefined);
    return { samples: half.samples, shuffle: false, firstRow, rows: each, steps, y };
  }

  dispose(): void {
    this.close();
    for (const { samples } of this.halves) samples.dispose();
  }

  private half(): Half {
    const { source, capacity } = this;
    const { names, keepTargets } = this.options;
    const columns = names.map((name) => {
      const { dtype, shape } = source[name];
      const extents = [capacity, ...shape];
      return { name, dtype, shape: extents, data: allocate(dtype, countOf(extents)) };
    });
    const samples = call(() => new addon.Dataset(columns));
    const targets = keepTargets ? allocate(source.y.dtype, capacity * countOf(source.y.shape)) : undefined;
    return { samples, y: targets && new NdArray(targets, [capacity, ...source.y.shape], source.y.dtype), from: 0, until: 0 }; // prettier-ignore
  }

  private async begin(epoch: number, sample: number): Promise<void> {
    await this.filling?.catch(() => undefined);
    this.close();
    for (const half of this.halves) half.from = half.until = 0;
    const { seed, cancellation } = this.options;
    const request = { seed, epoch, skip: sample, signal: cancellation.signal };
    this.reading = { epoch, chunks: this.source.read(request)[Symbol.asyncIterator]() };
    this.position = { epoch, sample };
    this.hasEnded = false;
    this.rest = undefined;
  }

  // A source that is in the middle of a read is let go of when that ends; nobody waits for it.
  private close(): void {
    this.reading?.chunks.return?.().catch(() => undefined);
    this.reading = undefined;
    this.filling = undefined;
  }

  /** Fills the half that is not in use with samples for some steps; resolves when they are there, or at the end of the epoch. */
  private fill(steps: number): Promise<void> {
    this.filling ??= this.fillHalf(this.halves[1 - this.current]!, steps);
    return this.filling;
  }

  private async fillHalf(half: Half, steps: number): Promise<void> {
    const { reading } = this;
    half.from = half.until = 0;
    const wanted = Math.min(this.capacity, steps * this.options.rows);
    while (half.until < wanted && !this.hasEnded) {
      const chunk = this.rest ?? (await this.read());
      if (this.reading !== reading) return; // another epoch has begun meanwhile
      if (!chunk) return;
      const rows = Math.min(wanted - half.until, rowsIn(chunk));
      this.rest = rows < rowsIn(chunk) ? sliceChunk(chunk, rows, rowsIn(chunk)) : undefined;
      this.put(half, rows === rowsIn(chunk) ? chunk : sliceChunk(chunk, 0, rows), rows);
    }
  }

  private async read(): Promise<Chunk | undefined> {
    const { where } = this.options;
    const next = await this.reading!.chunks.next();
    if (next.done) {
      this.hasEnded = true;
      return undefined;
    }
    const chunk = next.value;
    checkChunk(where, this.source, chunk);
    assertFinite(where, chunk.x, "x");
    assertFinite(where, chunk.y, "y");
    return chunk;
  }

  private put(half: Half, chunk: Chunk, rows: number): void {
    for (const name of this.options.names) {
      call(() => half.samples.write(name, half.until, rows, chunk[name].data));
    }
    if (half.y) {
      const size = countOf(this.source.y.shape);
      half.y.data.set(chunk.y.data, half.until * size);
    }
    half.until += rows;
  }

  private requireSome(sample: number): undefined {
    if (sample > 0 || this.options.cancellation.isRaised) return undefined;
    const { rows, dropLast, where } = this.options;
    throw new ArgumentError(
      `${where}: the source gave ${dropLast ? `fewer than the ${rows} samples of a step, and dropLast leaves nothing` : "no sample"} in epoch ${this.position.epoch}`,
    );
  }
}
