// Sources with what can be made of them: parts, other orders, changed samples. Each gives another source and reads nothing yet.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { rowCount, rowsOf } from "../rows.js";
import { Dataset, type SamplesInfo } from "../dataset.js";
import { augmented, augmentNames, planAugmentation, type AugmentOptions } from "./augment.js";
import { rowsIn, type BatchSource, type Chunk, type ReadRequest, type SampleType } from "./batch-source.js";
import { dropped, Gathered, limited, pickRows } from "./chunks.js";
import { mapped, type ChangeChunk, type MapOptions } from "./map.js";
import { blended, planBlend, type BlendPlan, type CutmixOptions, type MixupOptions } from "./blend.js";
import { ahead } from "./prefetch.js";
import { shuffled } from "./shuffle.js";
import { chunkOf } from "./threads/change.js";
import { mostThreads, oneInThread } from "./threads/pool.js";
import { plainChunk, type PlainChunk } from "./threads/protocol.js";

/** What a {@link Source} is made of. */
export interface SourceParts extends Pick<BatchSource, "x" | "y" | "length" | "info"> {
  identity(): Promise<string>;
  read(request: ReadRequest): AsyncIterable<Chunk>;
  /** Damaged samples that were left out by `onError: "skip"`, since the source was made. */
  skipped?(): number;
  /** Samples with damaged parts that counted as missing by `onError: "fill"`. */
  filled?(): number;
}

/** A sample by itself: x and y with one row. */
export type Sample = Chunk;

/** Samples in order, read while a run goes on; made by `data.csvStream`, `data.tokens` and their like. */
export class Source implements BatchSource {
  readonly x: SampleType;
  readonly y: SampleType;
  readonly length: number | undefined;
  readonly info: SamplesInfo;
  private readonly parts: SourceParts;
  private known: Promise<string> | undefined;

  /** @internal See `data.fromGenerator`. */
  constructor(parts: SourceParts) {
    this.parts = parts;
    this.x = parts.x;
    this.y = parts.y;
    this.length = parts.length;
    this.info = parts.info ?? {};
  }

  /** By which a checkpoint knows its samples again. */
  identity(): Promise<string> {
    return (this.known ??= this.parts.identity());
  }

  /** The samples of an epoch, some at a time. */
  read(request: ReadRequest): AsyncIterable<Chunk> {
    return this.parts.read(request);
  }

  /** Damaged samples that were left out by `onError: "skip"` so far, each time that they were read. */
  get skipped(): number {
    return this.parts.skipped?.() ?? 0;
  }

  /** Samples whose damaged cells counted as missing ones by `onError: "fill"` so far, each time that they were read. */
  get filled(): number {
    return this.parts.filled?.() ?? 0;
  }

  /** The first `count` samples of every epoch. @throws ArgumentError */
  take(count: number): Source {
    requireCount("data.take", "count", count, 0);
    const length = this.length === undefined ? undefined : Math.min(count, this.length);
    return this.made(`take ${count}`, { length }, (request) => {
      return limited(this.read(request), count - request.skip);
    });
  }

  /** All but the first `count` samples of every epoch. @throws ArgumentError */
  skip(count: number): Source {
    requireCount("data.skip", "count", count, 0);
    const length = this.length === undefined ? undefined : Math.max(0, this.length - count);
    return this.made(`skip ${count}`, { length }, (request) => {
      return this.read({ ...request, skip: request.skip + count });
    });
  }

  /**
   * The samples for which `keeps` says yes. How many they are is not known then: give `steps`, or `counted()`.
   *
   * @param keeps gets a sample, x and y with one row, and has to say the same of it every time. @param name what it is, for checkpoints.
   */
  filter(keeps: (sample: Sample) => boolean, name: string = keeps.name): Source {
    checkFunction("filter", keeps);
    return this.made(`filter ${name}`, { length: undefined }, (request) => {
      return dropped(kept(this.read({ ...request, skip: 0 }), keeps), request.skip);
    });
  }

  /**
   * Samples changed by a function of chunks, in order.
   *
   * @param change gets consecutive samples { x [n, …], y [n, …] } and gives as many, changed row by row and the same every time; it may be
   *   asynchronous, up to `concurrency` chunks at a time. Or the URL of a module that exports such a function as default: it is called in up
   *   to `concurrency` threads, off the event loop; `name` is needed then.
   * @throws ArgumentError
   * @example
   * const set = data.fromArrays({ x: array([1, 2, 3], [3, 1]), y: array([2, 4, 6], [3, 1]) });
   * const doubled = data.stream(set).map(({ x, y }) => ({ x: array(x.data.map((v) => 2 * v), x.shape), y }), { name: "double" });
   */
  map(change: ChangeChunk | URL, options: MapOptions = {}): Source {
    const isModule = change instanceof URL;
    if (!isModule) checkFunction("map", change);
    checkOptions("data.map", options, ["x", "y", "name", "concurrency"]);
    const { x = this.x, y = this.y, name = isModule ? undefined : change.name } = options;
    if (typeof name !== "string" || name === "") {
      throw new ArgumentError(`data.map: name must be a text that says what the function does, got ${got(name)}`);
    }
    const { concurrency = isModule ? mostThreads : 1 } = options;
    requireCount("data.map", "concurrency", concurrency, 1);
    const by = isModule ? changedInThread(change.href) : change;
    return this.made(`map ${name}`, { x, y }, (request) => {
      return mapped(this.read(request), { x, y }, by, request, concurrency);
    });
  }

  /**
   * Images changed at random, off the event loop: rotated, mirrored, shifted, in other colours, with a square left out, in this order. What
   * becomes of an image depends on the seed of the run, the epoch and its place in the epoch.
   *
   * @throws ArgumentError unless x is [C, H, W] of u8 or f32.
   * @example
   * const digits = await data.mnist();
   * const source = data.stream(digits.train, { shuffle: true }).augment({ crop: { padding: 2 }, cutout: 6 });
   */
  augment(options: AugmentOptions): Source {
    checkOptions("data.augment", options, augmentNames);
    const plan = planAugmentation("data.augment", this.x, options);
    return this.made(`augment ${JSON.stringify(plan)}`, {}, (request) => augmented(this.read(request), plan, request));
  }

  /**
   * Samples mixed with others (mixup, Zhang et al. 2018): x ← λ x + (1 − λ) x′ and y ← λ y + (1 − λ) y′, where λ ~ Beta(α, α) is drawn for
   * each sample and x′ is another one of its group: `group` consecutive samples of the epoch, so that the source has to be shuffled before.
   * Labels become shares of the classes, f32 [classes], which `loss.crossEntropy` takes. Off the event loop.
   *
   * @throws ArgumentError unless x is u8 or f32, and y a class or f32.
   * @example
   * const digits = await data.mnist();
   * const source = data.stream(digits.train, { shuffle: true }).mixup({ alpha: 0.2, classes: 10 });
   */
  mixup(options: MixupOptions = {}): Source {
    return this.blendedBy(planBlend("data.mixup", this, options, false));
  }

  /**
   * Images with a box of another one (CutMix, Yun et al. 2019), whose share of the area is drawn from Beta(α, α); labels by the areas. Else as
   * {@link mixup}.
   *
   * @throws ArgumentError unless x is [C, H, W] of u8 or f32, and y a class or f32.
   * @example
   * const digits = await data.mnist();
   * const source = data.stream(digits.train, { shuffle: true }).mixup({ classes: 10, share: 0.5 }).cutmix({ share: 0.5 });
   */
  cutmix(options: CutmixOptions = {}): Source {
    return this.blendedBy(planBlend("data.cutmix", this, options, true));
  }

  private blendedBy(plan: BlendPlan): Source {
    const { y, group, ...said } = plan;
    return this.made(`blend ${JSON.stringify({ group, ...said })}`, { y }, (request) => {
      const first = Math.floor(request.skip / group) * group;
      return dropped(blended(this.read({ ...request, skip: first }), this, plan, { ...request, skip: first }), request.skip - first); // prettier-ignore
    });
  }

  /**
   * Another order every epoch, within what fits into a buffer: each sample is drawn from the `size` that were read ahead.
   *
   * @param size samples that are held; as many as there are mix them wholly.
   */
  shuffle(size: number): Source {
    requireCount("data.shuffle", "size", size, 1);
    return this.made(`shuffle ${size}`, {}, (request) => {
      return dropped(shuffled(this.read({ ...request, skip: 0 }), this, size, request), request.skip);
    });
  }

  /** Reads up to `chunks` chunks ahead of who takes them. A run reads ahead by itself; this is for loops of your own. */
  prefetch(chunks: number): Source {
    requireCount("data.prefetch", "chunks", chunks, 1);
    return new Source({ ...this.parts, identity: () => this.identity(), read: (request) => ahead(this.read(request), chunks) }); // prettier-ignore
  }

  /** The same source with its length, which one pass over it tells. */
  async counted(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Source> {
    if (this.length !== undefined) return this;
    let length = 0;
    for await (const chunk of this.read({ seed: 0, epoch: 0, skip: 0, ...options })) length += rowsIn(chunk);
    return new Source({ ...this.parts, length, identity: () => this.identity() });
  }

  /** The first `count` samples in memory; all of them without a count. @throws ArgumentError if there are none. */
  async toDataset(count = Infinity): Promise<Dataset> {
    const chunks: Chunk[] = [];
    for await (const chunk of limited(this.read({ seed: 0, epoch: 0, skip: 0 }), count)) chunks.push(chunk);
    const rows = chunks.reduce((sum, chunk) => sum + rowsIn(chunk), 0);
    if (rows === 0) throw new ArgumentError("data.toDataset: the source gave no sample");
    const all = new Gathered(this, rows);
    for (const chunk of chunks) for (let row = 0; row < rowsIn(chunk); row++) all.add(chunk, row);
    return new Dataset({ ...all.all, info: this.info }, "data.toDataset");
  }

  private made(how: string, other: Partial<SourceParts>, read: SourceParts["read"]): Source {
    const identity = async () => `${await this.identity()} | ${how}`;
    return new Source({ ...this.parts, ...other, identity, read });
  }
}

const changedInThread =
  (module: string): ChangeChunk =>
  async (chunk, place) =>
    chunkOf(await oneInThread<PlainChunk>("change", { module, chunk: plainChunk(chunk), place }));

async function* kept(chunks: AsyncIterable<Chunk>, keeps: (sample: Sample) => boolean): AsyncGenerator<Chunk> {
  for await (const chunk of chunks) {
    const { x, y } = chunk;
    const rows = Array.from({ length: rowCount(x) }, (_, row) => row).filter((row) =>
      keeps({ x: rowsOf(x, row, row + 1), y: rowsOf(y, row, row + 1) }),
    );
    if (rows.length > 0) yield rows.length === rowCount(x) ? chunk : pickRows(chunk, rows);
  }
}

function checkFunction(method: string, value: unknown): void {
  if (typeof value === "function") return;
  throw new ArgumentError(`data.${method}: expected a function of samples { x, y }, got ${got(value)}`);
}
