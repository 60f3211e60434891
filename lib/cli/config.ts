// A training run from a file: a module that gives model, data and options of `train.fit`, changed by --set, begun anew or gone on with.
import { access } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BatchSource, Samples } from "../data/index.js";
import { isSource } from "../data/index.js";
import { rowsOf } from "../data/rows.js";
import * as athanor from "../index.js";
import { ArgumentError, FileError } from "../errors.js";
import type { Module } from "../nn/index.js";
import { bytes } from "../report/number-text.js";
import type { FitOptions } from "../train/index.js";
import { showShape } from "../tensor/nd-array.js";
import { number } from "../train/run/format.js";
import { print, say } from "./output.js";

/** What a config file exports by default, or what the function that it exports gives. */
export interface TrainConfig {
  readonly model: Module;
  readonly data: Samples | BatchSource;
  readonly options: FitOptions;
  /** Where the trained model is saved. */
  readonly out?: string | undefined;
}

/** Flags of a run from a config. */
export interface ConfigFlags {
  readonly resume?: boolean;
  readonly set?: readonly string[];
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly out?: string;
}

/** Whether a path is that of a config rather than of data. */
export const isConfig = (path: string): boolean => [".ts", ".mts", ".js", ".mjs", ".cjs"].includes(extname(path));

const where = "train";

/** Runs a config. */
export async function trainConfig(path: string, flags: ConfigFlags): Promise<void> {
  const settings = settingsOf(flags.set ?? []);
  const { model, data, options: given, out: named } = await configOf(path, settings);
  const out = flags.out ?? named;
  const options = completed(given, settings, flags);
  const own = await packageOf(path);
  if (flags.dryRun) return describe(model, data, options, flags, own);
  const { train, artifact } = own;
  const result = await train.fit(model, data, options);
  if (out !== undefined) await artifact.save(model, out);
  const metrics = result.best?.metrics ?? result.history.at(-1)?.metrics ?? {};
  print(flags.json, { out, ...result, history: result.history.length }, () => {
    const said = Object.entries(metrics).flatMap(([name, value]) => (value === undefined ? [] : `${name} ${number(value)}`)); // prettier-ignore
    return `${result.steps} steps${result.resumed === undefined ? "" : ` (${result.resumed} of them before)`}, ended: ${result.stopped}${said.length > 0 ? `; best: ${said.join(", ")}` : ""}${out === undefined ? "" : `\nsaved as ${out}`}`;
  });
}

// The package that the config itself imports: its classes are another copy than those of this program.
async function packageOf(path: string): Promise<Pick<typeof athanor, "train" | "artifact">> {
  try {
    const entry = createRequire(resolve(path)).resolve("athanor");
    return (await import(pathToFileURL(entry).href)) as typeof athanor;
  } catch {
    return athanor;
  }
}

/** What a config gives. @throws ArgumentError, FileError */
export async function configOf(path: string, settings: Readonly<Record<string, unknown>>): Promise<TrainConfig> {
  await access(path).catch((cause: unknown) => {
    throw new FileError(`${where}: there is no file "${path}"`, { cause });
  });
  let exported: { readonly default?: unknown };
  try {
    exported = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_UNKNOWN_FILE_EXTENSION") throw cause;
    throw new ArgumentError(
      `${where}: Node ${process.version} does not read TypeScript; take Node 24, run with NODE_OPTIONS="--import tsx", or write the config as .mjs`,
      { cause },
    );
  }
  const made: unknown =
    typeof exported.default === "function"
      ? await (exported.default as (settings: unknown) => unknown)(settings)
      : exported.default;
  const { model, data, options } = (made ?? {}) as Partial<TrainConfig>;
  if (typeof model?.namedParameters === "function" && data !== undefined && typeof options === "object")
    return made as TrainConfig;
  throw new ArgumentError(
    `${where}: "${path}" must export by default { model, data, options }, or a function that gives them: a module of nn, samples or a source, and the options of train.fit`,
  );
}

/** `--set batchSize=64 --set optimizer.lr=0.01` as a record. @throws ArgumentError */
export function settingsOf(pairs: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1)
        throw new ArgumentError(`${where}: --set takes name=value, such as --set batchSize=64, got "${pair}"`);
      return [pair.slice(0, at), valueOf(pair.slice(at + 1))];
    }),
  );
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const settable = ["batchSize", "epochs", "steps", "seed", "shuffle", "dropLast", "progress"];

// Options of the run itself are set here; others are the config's own, which gets all settings.
function completed(given: FitOptions, settings: Readonly<Record<string, unknown>>, flags: ConfigFlags): FitOptions {
  const own = Object.fromEntries(Object.entries(settings).filter(([name]) => settable.includes(name)));
  const length = "steps" in own ? { epochs: undefined } : "epochs" in own ? { steps: undefined } : {};
  if (flags.resume && !given.checkpoint) {
    throw new ArgumentError(`${where}: --resume goes on from checkpoints, and the config keeps none: options: { checkpoint: { dir } }`); // prettier-ignore
  }
  return {
    progress: flags.quiet !== true,
    signals: true,
    ...given,
    ...length,
    ...own,
    ...(flags.resume && { resume: "auto" }),
  };
}

/**
 * Says what would be trained.
 *
 * @param own the package that model and options are of.
 */
export async function describe(
  model: Module,
  data: Samples | BatchSource,
  options: FitOptions,
  flags: ConfigFlags,
  own: Pick<typeof athanor, "train"> = athanor,
): Promise<void> {
  const { batchSize = 32, epochs = 1, dropLast = false } = options;
  const samples = isSource(data) ? data.length : data.x.shape[0]!;
  const stepsPerEpoch = samples === undefined ? undefined : Math[dropLast ? "floor" : "ceil"](samples / batchSize);
  const steps = options.steps ?? (stepsPerEpoch === undefined ? undefined : stepsPerEpoch * epochs);
  const batch = await firstBatch(data, batchSize);
  const input = { dtype: batch.x.dtype, shape: batch.x.shape.slice(1) };
  const summary = model.summary({ input, batch: batchSize });
  const facts = {
    steps,
    stepsPerEpoch,
    batchSize,
    samples,
    memory: own.train.planMemory(model, data, { loss: options.loss, optimizer: options.optimizer, batchSize }),
    batch: { x: `${batch.x.dtype} ${showShape(batch.x.shape)}`, y: `${batch.y.dtype} ${showShape(batch.y.shape)}` },
  };
  say(flags.quiet, "dry run: nothing is trained");
  print(flags.json, facts, () =>
    [
      String(summary),
      `${facts.samples ?? "an unknown number of"} samples, ${facts.steps ?? "an unknown number of"} steps of ${facts.batchSize}${facts.stepsPerEpoch === undefined ? "" : `, ${facts.stepsPerEpoch} an epoch`}`,
      `memory: ${memoryOf(facts.memory)}`,
      `first batch: x ${facts.batch.x}, y ${facts.batch.y}`,
    ].join("\n"),
  );
}

function memoryOf({ parameters, optimizer, step, total }: athanor.train.MemoryPlan): string {
  return `${bytes(total)} beside the samples: ${bytes(parameters)} of parameters, ${bytes(optimizer)} of the optimizer's states, ${bytes(step)} for a step`; // prettier-ignore
}

async function firstBatch(data: Samples | BatchSource, rows: number): Promise<Samples> {
  if (!isSource(data))
    return {
      x: rowsOf(data.x, 0, Math.min(rows, data.x.shape[0]!)),
      y: rowsOf(data.y, 0, Math.min(rows, data.x.shape[0]!)),
    };
  for await (const { x, y } of data.read({ seed: 0, epoch: 0, skip: 0 })) return { x, y };
  throw new ArgumentError(`${where}: the source gave no sample`);
}
