// athanor train: a table, a folder of images, or images in IDX files becomes a trained artifact.
import { extname } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { load, save } from "../artifact/index.js";
import { Dataset } from "../data/index.js";
import { ArgumentError } from "../errors.js";
import { whole } from "../report/number-text.js";
import { seed } from "../tensor/parameter.js";
import { fit, type FitOptions } from "../train/index.js";
import type { Module } from "../nn/index.js";
import { networkFor, scaleBack, scaled, scaleOf } from "./architecture.js";
import { describe, isConfig, trainConfig, type ConfigFlags } from "./config.js";
import type { Context } from "./context.js";
import { readJsonConfig } from "./json-config.js";
import { kinds, loadData, withTable, type ColumnsOptions, type DataOptions, type Parts } from "./data.js";
import { names, requireOut, wholeNumber, withOut, type OutOptions, withExamples } from "./options.js";
import { print, say, warn } from "./output.js";
import { describeQuality, metricsOf, qualityOf } from "./quality.js";
import { hasNumbers, recipeOf, withTraining, type TrainingOptions } from "./training.js";

interface TrainOptions extends Omit<DataOptions, "data">, ColumnsOptions, TrainingOptions, OutOptions {
  readonly hidden: readonly number[];
  readonly patience: number;
  readonly checkpoint?: string;
  readonly json?: boolean;
}

/** The command `train`. */
export function trainCommand(context: Context): Command {
  const command = new Command("train")
    .description("trains a model on a table or on images, and saves it with what it takes to use it: classes, and how rows are read")
    .argument("<data>", `${kinds}; or a config: a module that exports { model, data, options } of train.fit, or a JSON file of "data" and these options`); // prettier-ignore
  withOut(command, "the model", false)
    .option("--one-hot <columns>", "columns of numbers that are categories: a,b; columns of text always are", names)
    .option("--no-standardize", "take numbers as they are, not at mean 0 and deviation 1")
    .option("--hidden <widths>", "widths of the dense layers: 64,32", widths, [64, 32])
    .option("--patience <n>", "stop after as many epochs without a better validation", wholeNumber, 20)
    .option("--checkpoint <folder>", "keep the state of the run there, and its log; Ctrl-C writes a checkpoint")
    .option("--resume", "go on from the newest checkpoint")
    .option("--set <name=value>", "of a config: another option, such as --set epochs=3; a module's function is given all of them", (pair: string, before: readonly string[] | undefined) => [...(before ?? []), pair])
    .option("--dry-run", "say what would be trained, and train nothing")
    .option("--json", "print JSON"); // prettier-ignore
  withTraining(withTable(command), 60, 32);
  withExamples(
    command,
    "athanor train customers.csv --label tier -o out/tier",
    "athanor train houses.csv --label price --drop id,address -o out/price",
    "athanor train photos/ -o out/photos --epochs 20     # photos/cat/*.png, photos/dog/*.png",
    "athanor train mnist -o out/digits --epochs 3 --batch 128",
    "athanor train digits.mjs --set epochs=3 --resume          # export default { model, data, options }",
  );
  return command.action(async (path: string, options: TrainOptions & ConfigFlags) => {
    if (isConfig(path)) return trainConfig(path, options);
    const data = extname(path) === ".json" ? await readJsonConfig(path, command, options.set) : path;
    const all = command.opts<TrainOptions & ConfigFlags>();
    if (all.out === undefined && !all.dryRun)
      command.error("error: required option '-o, --out <folder>' not specified", { exitCode: 2 });
    return train(data, all, context);
  });
}

async function train(path: string, options: TrainOptions & ConfigFlags, context: Context): Promise<void> {
  if (!options.dryRun) await requireOut(options, []);
  const parts = await loadData("train", { ...options, data: path }, undefined, options);
  const outputs = outputsFor(parts);
  seed(options.seed);
  const model = networkFor(parts.train, outputs, options.hidden);
  const layers = layersOf(model);
  say(options.quiet, `${parts.name}: ${whole(parts.train.length)} to train on, a tenth of them to validate, ${whole(parts.test.length)} to test`); // prettier-ignore
  say(options.quiet, layers);
  const run = runOf(parts.train, options, context);
  if (options.dryRun) return describe(model, run.data, run.options, options);
  await fit(model, run.data, run.options);
  if (run.scale) await scaleBack(model, run.scale);
  const { label } = parts;
  const metadata = { description: layers, ...(label !== undefined && { label }) };
  await save(model, options.out, { metadata });
  using served = await load(options.out);
  const quality = await qualityOf("train", served, parts.test, context.signal);
  await save(model, options.out, { metadata, metrics: metricsOf(quality) });
  const nothing = quality.task === "classification" ? quality.accuracy <= quality.baseline : quality.r2 <= 0;
  if (nothing) warn("the model is no better than one that always answers the same; more epochs, another --lr or other columns may help"); // prettier-ignore
  const { classes } = parts.train.info;
  print(
    options.json,
    { out: options.out, parameters: served.parameters, bytes: served.bytes, classes, quality },
    () => {
      const kind = classes ? `${classes.length} classes (${classes.slice(0, 10).join(", ")}${classes.length > 10 ? ", …" : ""})` : "a number"; // prettier-ignore
      return `learned to tell ${kind}\n${describeQuality(quality)}\nsaved as ${options.out}; predict with: athanor predict ${options.out} <rows>`;
    },
  );
}

// What is trained, and how; with a checkpoint Ctrl-C is the run's own, which writes one.
function runOf(samples: Dataset, options: TrainOptions & ConfigFlags, context: Context) {
  if (options.epochs === 0) throw new ArgumentError("train: --epochs 0 would train nothing; give 1 or more");
  const { checkpoint: dir, resume } = options;
  if (resume && dir === undefined) throw new ArgumentError("train: --resume goes on from checkpoints; say where they are kept: --checkpoint runs/tier"); // prettier-ignore
  const scale = hasNumbers(samples) ? scaleOf(samples) : undefined;
  const set = scale ? new Dataset({ x: samples.x, y: scaled(samples.y, scale), info: samples.info }) : samples;
  const { train: data, validation } = set.split({ validation: 0.1 });
  const kept: Partial<FitOptions> = dir === undefined ? {} : { checkpoint: { dir }, log: { dir }, resume: resume ? "auto" : false, signals: true, signal: undefined }; // prettier-ignore
  const how: FitOptions = {
    ...recipeOf(options, data, context),
    validate: { on: validation },
    earlyStopping: { monitor: "val.loss", patience: options.patience, restoreBest: true },
    ...kept,
  };
  return { data, options: how, scale };
}

function outputsFor({ name, train }: Parts): number {
  if (hasNumbers(train)) return 1;
  const { classes } = train.info;
  const count = classes?.length ?? 1 + Array.from(train.y.data).reduce((most, label) => Math.max(most, label), 0);
  if (count >= 2) return count;
  throw new ArgumentError(`train: all labels of "${name}" are ${JSON.stringify(classes?.[0] ?? "0")}; there is nothing to tell apart`); // prettier-ignore
}

function layersOf(model: Module): string {
  const sizes = model.namedParameters().filter(({ name }) => name.endsWith("weight"));
  const parameters = model.namedParameters().reduce((sum, { parameter }) => sum + parameter.size, 0);
  return `${sizes.map(({ parameter: { shape } }) => (shape.length === 4 ? `conv ${shape[0]}` : `dense ${shape[0]}`)).join(", ")}: ${whole(parameters)} parameters`;
}

function widths(text: string): number[] {
  const found = text === "" || text === "0" ? [] : text.split(",").map(Number);
  if (found.every((width) => Number.isSafeInteger(width) && width >= 1 && width <= 65_536)) return found;
  throw new InvalidArgumentError(`expected widths with commas between, such as 64,32, or 0 for none, got "${text}"`);
}
