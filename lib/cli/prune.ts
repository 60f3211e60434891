// athanor prune: an artifact with most of its weights gone, trained on under the masks unless told not to.
import { Command, Option } from "commander";
import { loadModel, save } from "../artifact/index.js";
import { prune, type Criterion, type Structure } from "../prune/index.js";
import { percent, whole } from "../report/figures.js";
import type { Context } from "./commands.js";
import { loadData, realNumber, withData, type DataOptions } from "./data.js";
import { print, say } from "./output.js";
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

interface PruneOptions extends DataOptions, TrainingOptions {
  readonly out: string;
  readonly amount: number;
  readonly scope: "layer" | "global" | "row";
  readonly structure: string;
  readonly criterion: string;
  readonly json?: boolean;
}

/** The command `prune`. */
export function pruneCommand(context: Context): Command {
  const command = new Command("prune")
    .description("takes weights away while it trains on, and saves what is left in a sparse form")
    .argument("<artifact>", "folder that artifact.save wrote")
    .requiredOption("-o, --out <folder>", "where to save the pruned model")
    .option("-a, --amount <share>", "share of weights to take away, 0 to below 1", realNumber, 0.9)
    .addOption(
      new Option("--scope <scope>", "what is compared: weights of a layer, of all layers, of one output")
        .choices(["layer", "global", "row"])
        .default("global"),
    )
    .option("--structure <pattern>", "unstructured, N:M such as 2:4, or blocks such as 1x16", "unstructured")
    .addOption(new Option("--criterion <name>", "what a weight is worth").choices(Object.keys(criteria)).default("l1"))
    .option("--json", "print JSON");
  withTraining(withData(command, "what to train on"), 3);
  return command.action(async (path: string, options: PruneOptions) => {
    const model = await loadModel(path);
    const { train } = await loadData(options, model.info);
    const recipe = recipeOf(options, train, context);
    const structure = structureOf(options.structure);
    const steps = options.epochs * Math.ceil(train.length / options.batch);
    say(options.quiet, `Pruning ${path}: ${options.epochs > 0 ? `${whole(steps)} steps of training` : "at once"}`);
    const pruned = await prune(model, {
      ...(options.structure.includes(":") ? {} : { amount: options.amount, scope: options.scope }),
      structure,
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
    await save(await prune.pack(pruned), options.out);
    print(options.json, { out: options.out, sparsity: sparsity.sparsity, layers: sparsity.layers }, () => {
      return `${String(sparsity)}\n\n${percent(sparsity.sparsity)} of the weights are zero; saved as ${options.out}`;
    });
  });
}

function structureOf(text: string): Structure {
  const [, rows, columns] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  return rows === undefined ? (text as Structure) : { block: [Number(rows), Number(columns)] };
}
