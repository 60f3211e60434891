// athanor eval: how good and how fast artifacts are, timed in turns.
import { Command } from "commander";
import { load, type LoadedModel } from "../artifact/index.js";
import type { Dataset } from "../data/index.js";
import { ArgumentError } from "../errors.js";
import { textTable, compareSpeed } from "../report/index.js";
import { number } from "../train/run/format.js";
import { whole } from "../report/number-text.js";
import type { Context } from "./context.js";
import { loadData, withData, type DataOptions } from "./data.js";
import { wholeNumber, withExamples } from "./options.js";
import { print } from "./output.js";
import { qualityOf, type Quality } from "./quality.js";

interface EvalOptions extends DataOptions {
  readonly batch: number;
  readonly json?: boolean;
}

/** The command `eval`. */
export function evalCommand(context: Context): Command {
  const command = new Command("eval")
    .description("measures models on the test part of a data set, and times them in turns: latency at batch 1, throughput at a large batch")
    .argument("<artifact...>", "one or more folders that artifact.save wrote; speeds are relative to the first")
    .option("-b, --batch <n>", "samples at a time for the throughput", wholeNumber, 256)
    .option("--json", "print JSON"); // prettier-ignore
  withExamples(
    withData(command, "what to measure on"),
    "athanor eval out/tier --data customers.csv",
    "athanor eval out/tier out/small out/tiny --data customers.csv",
    "athanor eval out/digits --data mnist --json",
  );
  return command.action((paths: string[], options: EvalOptions) => evaluate(paths, options, context));
}

async function evaluate(given: readonly string[], options: EvalOptions, { signal }: Context): Promise<void> {
  const paths = [...new Set(given)];
  const models: LoadedModel[] = [];
  const sets: Dataset[] = [];
  const qualities: Quality[] = [];
  try {
    for (const path of paths) {
      const model = await load(path);
      models.push(model);
      const { test } = await loadData("eval", options, model);
      sets.push(test);
      qualities.push(await qualityOf("eval", model, test, signal));
    }
    if (new Set(qualities.map(({ task }) => task)).size > 1) {
      throw new ArgumentError("eval: some of the models tell classes and others numbers; compare those of one kind");
    }
    const contenders = paths.map((name, i) => ({ name, model: models[i]!, x: sets[i]!.take(options.batch).x }));
    const speeds = await compareSpeed(contenders, { batch: options.batch, signal });
    const results = paths.map((artifact, i) => {
      const { parameters, bytes } = models[i]!;
      return { artifact, ...qualities[i]!, parameters, nonzero: models[i]!.countNonzero(), bytes, ...speeds.get(artifact)! };
    });
    const samples = sets[0]!.length;
    print(options.json, { data: options.data, samples, results }, () => {
      const rows = results.map(({ artifact, ...summary }) => ({ name: artifact, summary: summary }));
      const numbers = results.flatMap((result) => (result.task === "regression" ? [`${result.artifact}: R² ${number(result.r2)}, off by ${number(result.rmse)} (root mean square), ${number(result.mae)} (mean)`] : []));
      return [`${whole(samples)} samples of ${options.data}`, ...(numbers.length > 0 ? [numbers.join("\n")] : []), textTable(rows, "the first")].join("\n\n");
    });
  } finally {
    for (const model of models) model.dispose();
  }
} // prettier-ignore
