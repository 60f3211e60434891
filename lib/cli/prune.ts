// athanor prune: an artifact with most of its weights gone, trained on under the masks unless told not to.
import { Command, Option } from "commander";
import { load, loadModel, save } from "../artifact/index.js";
import { prune, type Criterion, type Structure } from "../prune/index.js";
import { percent, whole } from "../report/number-text.js";
import type { Context } from "./context.js";
import { loadData, withData, type DataOptions } from "./data.js";
import { refuseQuantized } from "./held.js";
import { requireOut, share, withOut, type OutOptions, withExamples } from "./options.js";
import { print, say } from "./output.js";
import { compared, metricsOf, qualityOf, shortQuality, withMaxDrop } from "./quality.js";
import { recipeOf, withTraining, type TrainingOptions } from "./training.js";

const criteria: Readonly<Record<string, Criterion>> = {
  l1: prune.l1,
  l2: prune.l2,
  random: prune.random,
  taylor: prune.taylor,
  movement: prune.movement,
  wanda: prune.wanda,
  snip: prune.snip,
};

interface PruneOptions extends DataOptions, TrainingOptions, OutOptions {
  readonly amount: number;
  readonly scope: "layer" | "global" | "row";
  readonly floor: number;
  readonly structure: string;
  readonly criterion: string;
  readonly maxDrop: number;
  readonly json?: boolean;
}

/** The command `prune`. */
export function pruneCommand(context: Context): Command {
  const command = new Command("prune")
    .description("takes weights away while it trains on, and saves what is left in a sparse form")
    .argument("<artifact>", "folder that artifact.save wrote");
  withOut(command, "the pruned model")
    .option("-a, --amount <share>", "share of weights to take away, 0 to below 1", share, 0.9)
    .addOption(
      new Option("--scope <scope>", "what is compared: weights of a layer, of all layers, of one output")
        .choices(["layer", "global", "row"])
        .default("global"),
    )
    .option("--floor <share>", "with --scope global: what a layer keeps at least, of its even share; 0 lets layers be emptied", share, 0.25)
    .option("--structure <pattern>", "unstructured, N:M such as 2:4, or blocks such as 1x16", "unstructured")
    .addOption(new Option("--criterion <name>", "what a weight is worth").choices(Object.keys(criteria)).default("l1"))
    .option("--json", "print JSON"); // prettier-ignore
  withMaxDrop(withTraining(withData(command, "what to train and to compare on"), 20, 32));
  withExamples(
    command,
    "athanor prune out/tier -o out/small --data customers.csv",
    "athanor prune out/digits -o out/sparse --data mnist --amount 0.8 --epochs 3 --batch 128",
    "athanor prune out/digits -o out/half --data mnist --structure 2:4",
  );
  return command.action((path: string, options: PruneOptions) => run(path, options, context));
}

async function run(path: string, options: PruneOptions, context: Context): Promise<void> {
  await requireOut(options, [path]);
  using dense = await load(path);
  const { train, test } = await loadData("prune", options, dense);
  const before = await qualityOf("prune", dense, test, context.signal);
  const model = prune.unpack(await loadModel(path));
  refuseQuantized("prune", path, model);
  const recipe = recipeOf(options, train, context);
  const steps = options.epochs * Math.ceil(train.length / options.batch);
  say(options.quiet, `Pruning ${path}: ${options.epochs > 0 ? `${whole(steps)} steps of training` : "at once"}`);
  const pattern = options.structure.includes(":");
  const pruned = await prune(model, {
    ...(pattern ? {} : { amount: options.amount, scope: options.scope, floor: options.floor }),
    structure: structureOf(options.structure),
    criterion: criteria[options.criterion]!,
    calibrate: train.take(1024),
    loss: recipe.loss,
    signal: context.signal,
    ...(options.epochs > 0 && {
      schedule: prune.cubic({ steps: Math.max(1, Math.floor(0.6 * steps)) }),
      during: { data: train, ...recipe },
    }),
  });
  const sparsity = await prune.sparsity(pruned);
  const packed = await prune.pack(pruned);
  await save(packed, options.out);
  using served = await load(options.out);
  const after = await qualityOf("prune", served, test, context.signal);
  await save(packed, options.out, { metrics: metricsOf(after) });
  const way = "Take less away with --amount, train longer with --epochs, or keep the layers even with --scope layer.";
  const comparison = compared(options.out, before, after, options.maxDrop, way);
  const { bytes } = served;
  print(options.json, { out: options.out, sparsity: sparsity.sparsity, layers: sparsity.layers, bytes, ...comparison }, () =>
    [
      String(sparsity),
      "",
      `${percent(sparsity.sparsity)} of the weights are zero; ${shortQuality(before)} became ${shortQuality(after)} on the test part`,
      `saved as ${options.out}`,
    ].join("\n"),
  ); // prettier-ignore
}

function structureOf(text: string): Structure {
  const [, rows, columns] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  return rows === undefined ? (text as Structure) : { block: [Number(rows), Number(columns)] };
}
