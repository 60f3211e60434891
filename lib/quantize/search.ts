// Mixed precision: which weight takes which scheme, so that the whole meets a budget. Every weight is quantized alone by every
// candidate and the model's results compared with its own (mean squared error); then weights step down to smaller schemes, the one
// whose error grows least for the bytes it saves first, until the budget is met.
import { requireFinite } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, NonFiniteError } from "../errors.js";
import { got } from "../names/got.js";
import { withCalibration } from "../data/sources/in-memory.js";
import { rowsOf } from "../data/rows.js";
import type { Module } from "../nn/index.js";
import { feed } from "../nn/input.js";
import { requireFiniteSamples } from "../tensor/finite.js";
import { countOf, NdArray } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import type { Tensor } from "../tensor/tensor.js";
import { inputsOf } from "./calibrate.js";
import { PackedParametrization } from "./packed-parametrization.js";
import {
  parametrizationsOf,
  quantizeModel,
  requireModel,
  requireSoundInputs,
  type QuantizeOptions,
} from "./quantize.js";
import { describeScheme, requireScheme, type Scheme } from "./scheme.js";
import { targetsOf } from "./targets.js";
import { alignedRows } from "../tensor/text-table.js";

/** Options of {@link search}. */
export interface SearchOptions extends Omit<QuantizeOptions, "signal"> {
  /** Schemes to choose from, in any order. */
  readonly schemes: readonly Scheme[];
  /** The most bytes that all quantized weights may take together. This, or `score`. */
  readonly bytes?: number | undefined;
  /** Judges a quantized model, higher is better, such as its accuracy; with `least`, the smallest model that reaches it is kept. */
  readonly score?: ((model: Module) => Promise<number>) | undefined;
  /** What `score` must reach. */
  readonly least?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A weight's row in {@link SearchResult}. */
export interface Choice {
  readonly name: string;
  readonly scheme: Scheme;
  readonly bytes: number;
  /** Mean squared error of the model's result when this weight alone is quantized so. */
  readonly error: number;
}

/** What {@link search} found. */
export interface SearchResult<Model extends Module = Module> {
  readonly model: Model;
  readonly choices: readonly Choice[];
  /** Of all quantized weights. */
  readonly bytes: number;
  /** To quantize again, as `quantize(model, result.scheme)`. */
  readonly scheme: (name: string) => Scheme | undefined;
  /** A line a weight. */
  toString(): string;
}

const where = "quantize.search";

/**
 * The scheme for each weight that meets a budget of bytes or a score, by each weight's own sensitivity.
 *
 * @throws ArgumentError for options, or if no choice meets the budget; the sentence says the least that is possible. NonFiniteError
 *   for weights, samples, results or scores that are NaN or infinite.
 * @example
 * const model = nn.sequential(nn.linear(64, 32), nn.relu(), nn.linear(32, 10));
 * const calibrate = array(new Float32Array(8 * 64).fill(0.5), [8, 64]);
 * const found = await quantize.search(model, {
 *   schemes: [quantize.int8(), quantize.int4()], calibrate, bytes: 1800,
 * });
 * found.bytes <= 1800; // true
 */
export async function search<Model extends Module>(model: Model, given: SearchOptions): Promise<SearchResult<Model>> {
  const options = await withCalibration(given);
  const { schemes, rest, calibrate } = checked(model, options);
  const names = targetsOf(where, model, schemes[0]!, options).map(({ name }) => name);
  const ladder = new Map<string, Choice[]>();
  await requireSoundInputs(where, model, targetsOf(where, model, schemes[0]!, options), options);
  const wanted = await resultsOf(model, calibrate, options);
  await requireFiniteSamples(where, "the model's result for calibrate", joined(wanted));
  for (const name of names) {
    const choices: Choice[] = [];
    for (const scheme of schemes) choices.push(await tried(model, name, scheme, { rest, wanted, calibrate, options }));
    ladder.set(name, undominated(choices));
  }
  const path = descent(names, ladder);
  const build = (at: ReadonlyMap<string, Choice>) => quantizeModel(model, (name: string) => at.get(name)?.scheme, rest);
  const picked = options.bytes === undefined ? await byScore(path, build, options) : byBytes(path, options.bytes);
  const choices = [...picked.values()];
  return {
    model: await build(picked),
    choices,
    bytes: total(picked),
    scheme: (name) => picked.get(name)?.scheme,
    toString: () => table(choices),
  };
}

function checked(model: unknown, options: SearchOptions) {
  requireModel(where, model);
  checkOptions(where, options, ["schemes", "bytes", "score", "least", "calibrate", "method", "observer", "batchSize", "match", "keep", "integers", "signal"]); // prettier-ignore
  const { schemes, bytes, score, least, ...rest } = options;
  if (!((schemes as unknown) instanceof Array) || schemes.length === 0) {
    throw new ArgumentError(`${where}: schemes must be a list such as [quantize.int8(), quantize.int4()]`);
  }
  for (const scheme of schemes as unknown[]) requireScheme(where, scheme);
  for (const [name, value] of Object.entries({ bytes, least })) {
    if (value !== undefined) requireFinite(where, name, value);
  }
  const byScore = score !== undefined && least !== undefined;
  if ((bytes === undefined) === !byScore) {
    throw new ArgumentError(`${where}: give a budget of bytes, or score and least, and not both`);
  }
  return { schemes, rest, calibrate: inputsOf(where, options.calibrate) };
}

interface Trial {
  readonly rest: QuantizeOptions;
  readonly wanted: readonly NdArray[];
  readonly calibrate: NdArray;
  readonly options: SearchOptions;
}

async function tried(model: Module, name: string, scheme: Scheme, trial: Trial): Promise<Choice> {
  const { rest, wanted, calibrate, options } = trial;
  const only = (other: string) => (other === name ? scheme : undefined);
  const quantized = await quantizeModel(model, only, rest);
  try {
    const got = await resultsOf(quantized, calibrate, options);
    const bytes = parametrizationsOf(quantized, PackedParametrization).reduce(
      (sum, [, parametrization]) => sum + parametrization.bytes,
      0,
    );
    const parts = got.map((y, i) => squaredError(y, wanted[i]!));
    const count = got.reduce((sum, y) => sum + countOf(y.shape), 0);
    return { name, scheme, bytes, error: parts.reduce((a, b) => a + b, 0) / count };
  } finally {
    quantized.dispose();
  }
}

// The results of all batches as one array.
function joined(results: readonly NdArray[]): NdArray {
  const rows = results.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const data = new Float32Array(results.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const result of results) data.set(result.data, (at += result.size) - result.size);
  return new NdArray(data, [rows, ...results[0]!.shape.slice(1)]);
}

const squaredError = (a: NdArray, b: NdArray): number => {
  let sum = 0;
  for (let i = 0; i < a.data.length; ++i) sum += (a.data[i]! - b.data[i]!) ** 2;
  return sum;
};

async function resultsOf(model: Module, x: NdArray, { batchSize = 128, signal }: SearchOptions): Promise<NdArray[]> {
  const run = compile((batch: Tensor) => feed(model, batch), { name: where });
  try {
    const results: NdArray[] = [];
    for (let row = 0; row < x.shape[0]!; row += batchSize) {
      results.push(await run.run(rowsOf(x, row, Math.min(x.shape[0]!, row + batchSize)), { signal }));
    }
    return results;
  } finally {
    run.dispose();
  }
}

// Largest first; what is larger and no better than another goes.
function undominated(choices: readonly Choice[]): Choice[] {
  const sorted = [...choices].sort((a, b) => a.bytes - b.bytes || a.error - b.error);
  let best = Infinity;
  return sorted.filter(({ error }) => error < best && ((best = error), true)).reverse();
}

// From the best scheme everywhere to the smallest everywhere, one weight a step.
function descent(names: readonly string[], ladder: ReadonlyMap<string, readonly Choice[]>): Map<string, Choice>[] {
  const level = new Map(names.map((name) => [name, 0]));
  const now = () => new Map(names.map((name) => [name, ladder.get(name)![level.get(name)!]!]));
  const path = [now()];
  for (;;) {
    let least = Infinity;
    let next: string | undefined;
    for (const name of names) {
      const [from, to] = [ladder.get(name)![level.get(name)!]!, ladder.get(name)![level.get(name)! + 1]];
      if (!to) continue;
      const price = (to.error - from.error) / (from.bytes - to.bytes);
      if (price < least) [least, next] = [price, name];
    }
    if (next === undefined) return path;
    level.set(next, level.get(next)! + 1);
    path.push(now());
  }
}

const total = (choices: ReadonlyMap<string, Choice>): number =>
  [...choices.values()].reduce((sum, { bytes }) => sum + bytes, 0);

function byBytes(path: readonly Map<string, Choice>[], bytes: number): Map<string, Choice> {
  const found = path.find((choices) => total(choices) <= bytes);
  if (found) return found;
  throw new ArgumentError(
    `${where}: no choice fits ${bytes} bytes; the smallest takes ${total(path.at(-1)!)}, add smaller schemes or raise the budget`,
  );
}

// The furthest step of the path that still scores enough, by bisection: errors grow along it.
async function byScore(
  path: readonly Map<string, Choice>[],
  build: (at: ReadonlyMap<string, Choice>) => Promise<Module>,
  { score, least }: SearchOptions,
): Promise<Map<string, Choice>> {
  const scoreAt = async (step: number) => {
    const candidate = await build(path[step]!);
    try {
      const value = await score!(candidate);
      if (typeof value === "number" && !Number.isNaN(value)) return value;
      throw new NonFiniteError(`${where}: score must give a number, higher is better, got ${got(value)}`);
    } finally {
      candidate.dispose();
    }
  };
  let [good, bad] = [0, path.length];
  const first = await scoreAt(0);
  if (first < least!) {
    throw new ArgumentError(
      `${where}: even the best schemes score ${first}, below ${least}; add more precise schemes or lower it`,
    );
  }
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if ((await scoreAt(middle)) >= least!) good = middle;
    else bad = middle;
  }
  return path[good]!;
}

function table(choices: readonly Choice[]): string {
  const rows = choices.map(({ name, scheme, bytes, error }) => {
    return [name, describeScheme(scheme), `${bytes} B`, `error ${error.toExponential(2)}`];
  });
  return alignedRows(rows, 2).join("\n");
}
