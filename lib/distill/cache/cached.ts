// A teacher that is asked once about every sample: its scores are kept in memory, or in a folder that the next process finds.
// They are found again by what they depend on, so that a teacher that was trained on, or other samples, are asked anew.
import { requireCount, requireOneOf } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions, DTypeError, ShapeError } from "../../errors.js";
import { got } from "../../names/got.js";
import { infoOf, type ModelInfo } from "../../info/index.js";
import { LoadedModel } from "../../artifact/index.js";
import { fingerprint } from "../../data/fingerprint.js";
import { rowsOf } from "../../data/rows.js";
import { requireModule, type ModuleLike } from "../../nn/module.js";
import { countOf, NdArray, showShape } from "../../tensor/nd-array.js";
import { firstNonFinite, nonFinite } from "../../tensor/finite.js";
import { aborted } from "../../tensor/program.js";
import { predict } from "../../train/index.js";
import { decode, encode, type Encoding } from "./codec.js";
import { ofModel, ofServed } from "./fingerprint.js";
import { Store } from "./store.js";

/** Options of {@link cached}. */
export interface CacheOptions {
  /** Where scores are kept from process to process. Default in memory alone. */
  readonly folder?: string | undefined;
  /** "f16" halves the size; a score is then off by at most 2⁻¹¹ of itself. Default "f32", exact. */
  readonly values?: "f32" | "f16" | undefined;
  /**
   * How many of a row's scores are kept, the largest; the others all get one value that leaves them, together, the probability
   * they had at temperature 1. For large vocabularies. Default all.
   */
  readonly topK?: number | undefined;
  /** Samples that the teacher is asked about at a time. Default 256. */
  readonly batchSize?: number | undefined;
}

const where = "distill.cached";

/** A teacher with its scores kept; made by {@link cached}. */
export class CachedTeacher {
  private readonly model: ModuleLike | LoadedModel;
  private readonly options: CacheOptions;
  private readonly held = new Map<string, NdArray>();

  /** @internal See {@link cached}. */
  constructor(model: ModuleLike | LoadedModel, options: CacheOptions) {
    this.model = model;
    this.options = options;
  }

  /** @internal What the teacher knows beside its weights. */
  get info(): ModelInfo {
    return this.model instanceof LoadedModel ? this.model.info : infoOf(this.model);
  }

  /**
   * The teacher's scores f32 [n, …, C] for samples x [n, …], a row each: from memory, from the folder, or asked for now and kept.
   * Work that was cut off goes on where it stood.
   *
   * @throws ShapeError, DTypeError where teacher and samples do not fit; ArgumentError if the folder holds scores of another
   *   teacher or other samples; CorruptFileError for a damaged file; FileError; NonFiniteError; AbortedError.
   */
  async scores(x: NdArray, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<NdArray> {
    const { signal } = options;
    if (!(x instanceof NdArray) || x.shape.length === 0 || x.shape[0] === 0) {
      throw new ArgumentError(`${where}: expected samples [n, …] made by array(values, shape), at least one`);
    }
    if (signal?.aborted) throw aborted(where, signal);
    const model = this.model instanceof LoadedModel ? ofServed(this.model) : ofModel(this.model, x);
    const data = await fingerprint(where, x, signal);
    const name = `${model} ${data}`;
    const known = this.held.get(name);
    if (known) return known;
    const made =
      this.options.folder === undefined ? await this.ask(x, signal) : await this.keep(x, model, data, signal);
    // Weights change, so that older scores are never asked for again.
    for (const held of this.held.keys()) if (!held.startsWith(model)) this.held.delete(held);
    this.held.set(name, made);
    return made;
  }

  /** Lets go of what is in memory; a folder stays. */
  release(): void {
    this.held.clear();
  }

  // Scores in memory go through the same encoding as those on disk.
  private async ask(x: NdArray, signal: AbortSignal | undefined): Promise<NdArray> {
    const scores = await this.predict(x, signal);
    const encoding = this.encodingOf(scores);
    if (encoding.values === "f32" && encoding.topK === encoding.classes) return scores;
    const data = scores.data as Float32Array;
    decode(where, encoding, encode(encoding, data), data);
    return scores;
  }

  private async keep(x: NdArray, model: string, data: string, signal: AbortSignal | undefined): Promise<NdArray> {
    const probe = await this.predict(rowsOf(x, 0, 1), signal);
    const encoding = this.encodingOf(probe);
    const rows = x.shape[0]!;
    const groups = countOf(probe.shape) / encoding.classes;
    const store = await Store.open(where, this.options.folder!, { model, data, rows, groups, ...encoding });
    const width = countOf(probe.shape);
    const all = new Float32Array(rows * width);
    for (let shard = 0; shard < store.shards; shard++) {
      if (signal?.aborted) throw aborted(where, signal);
      const [first, end] = store.range(shard);
      const part = all.subarray(first * width, end * width);
      if (await store.read(shard, part)) continue;
      part.set((await this.predict(rowsOf(x, first, end), signal, first)).data);
      await store.write(shard, part);
    }
    return new NdArray(all, [rows, ...probe.shape.slice(1)]);
  }

  // Of samples from `first` on, as errors count them.
  private async predict(x: NdArray, signal: AbortSignal | undefined, first = 0): Promise<NdArray> {
    const { batchSize = 256 } = this.options;
    const scores =
      this.model instanceof LoadedModel
        ? await predictServed(this.model, x, batchSize, signal)
        : await predict(this.model, x, { batchSize, signal });
    if (scores.dtype !== "f32") throw new DTypeError(`${where}: the teacher must give f32 scores, got ${scores.dtype}`);
    if (scores.shape.length < 2 || scores.shape.at(-1) === 0) {
      throw new ShapeError(`${where}: the teacher must give scores [n, …, classes], got ${showShape(scores.shape)}`);
    }
    const strange = firstNonFinite(scores.data);
    if (strange >= 0) {
      const sample = first + Math.floor(strange / countOf(scores.shape.slice(1)));
      const way = `sample ${sample} is where it stands; mend the teacher before it teaches`;
      throw nonFinite(where, "the teacher's scores", scores, strange, way);
    }
    return scores;
  }

  private encodingOf({ shape }: NdArray): Encoding {
    const classes = shape.at(-1)!;
    return { values: this.options.values ?? "f32", topK: Math.min(this.options.topK ?? classes, classes), classes };
  }
}

async function predictServed(
  served: LoadedModel,
  x: NdArray,
  batchSize: number,
  signal: AbortSignal | undefined,
): Promise<NdArray> {
  const rows = x.shape[0]!;
  const parts: NdArray[] = [];
  for (let first = 0; first < rows; first += batchSize) {
    const batch = rowsOf(x, first, Math.min(rows, first + batchSize));
    parts.push(await served.predict(batch, signal ? { signal } : {}));
  }
  const [{ dtype, shape }] = parts as [NdArray];
  if (dtype !== "f32") return parts[0]!;
  const all = new Float32Array(rows * countOf(shape.slice(1)));
  let at = 0;
  for (const { data } of parts) {
    all.set(data, at);
    at += data.length;
  }
  return new NdArray(all, [rows, ...shape.slice(1)]);
}

/**
 * A teacher that is asked once about every sample instead of once an epoch, its scores kept in memory or in a folder. Training with
 * it equals training with the teacher itself, up to `values` and `topK`. A loaded artifact can teach only so.
 *
 * @throws ArgumentError for options.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(8), [2, 4]), y: array(Uint8Array.of(0, 2)) });
 * const teacher = distill.cached(nn.linear(4, 3), { values: "f16" });
 * const run = train.fit(nn.linear(4, 3), set, {
 *   loss: loss.crossEntropy(), optimizer: optim.adam(), epochs: 20, distill: distill.kd({ teacher }),
 * });
 * await run;
 */
export function cached(teacher: ModuleLike | LoadedModel, options: CacheOptions = {}): CachedTeacher {
  checkOptions(where, options, ["folder", "values", "topK", "batchSize"]);
  if (!(teacher instanceof LoadedModel)) requireModule(where, teacher);
  const { folder, values, topK, batchSize } = options;
  if (folder !== undefined && (typeof folder !== "string" || folder === "")) {
    throw new ArgumentError(`${where}: folder must be a path, got ${got(folder)}`);
  }
  if (values !== undefined) requireOneOf(where, "values", values, ["f32", "f16"]);
  if (topK !== undefined) requireCount(where, "topK", topK);
  if (batchSize !== undefined) requireCount(where, "batchSize", batchSize);
  return new CachedTeacher(teacher, options);
}
