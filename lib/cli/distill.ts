// athanor distill: a small artifact learns from a large one.
import { Command } from "commander";
import { load, loadModel, save } from "../artifact/index.js";
import { kd } from "../distill/index.js";
import { percent } from "../report/figures.js";
import { fit } from "../train/index.js";
import type { Context } from "./commands.js";
import { loadData, realNumber, withData, type DataOptions } from "./data.js";
import { measure } from "./eval.js";
import { print, say } from "./output.js";
import { recipeOf, withTraining, type TrainingOptions } from "./training.js";

interface DistillOptions extends DataOptions, TrainingOptions {
  readonly out: string;
  readonly temperature: number;
  readonly alpha: number;
  readonly json?: boolean;
}

/** The command `distill`. */
export function distillCommand(context: Context): Command {
  const command = new Command("distill")
    .description("trains a student on what a teacher thinks of the samples (Hinton et al. 2015)")
    .argument("<teacher>", "folder of the model to learn from")
    .argument("<student>", "folder of the model to train on; it is left as it is")
    .requiredOption("-o, --out <folder>", "where to save the student")
    .option("-t, --temperature <T>", "softens what the teacher says", realNumber, 4)
    .option("--alpha <share>", "share of the teacher in the loss, 0 to 1", realNumber, 0.7)
    .option("--json", "print JSON");
  withTraining(withData(command, "what to train on"), 5);
  return command.action(async (teacherPath: string, studentPath: string, options: DistillOptions) => {
    const [teacher, student] = await Promise.all([loadModel(teacherPath), loadModel(studentPath)]);
    const { train, test } = await loadData(options, teacher.info);
    say(options.quiet, `${studentPath} learns from ${teacherPath}`);
    const { temperature, alpha } = options;
    await fit(student, train, { ...recipeOf(options, train, context), distill: kd({ teacher, temperature, alpha }) });
    await save(student, options.out);
    using served = await load(options.out);
    const figures = await measure(served, test, 256, context.signal);
    print(options.json, { out: options.out, ...figures }, () => {
      return `${percent(figures.accuracy)} of the test part right; saved as ${options.out}`;
    });
  });
}
