// athanor distill: a small artifact learns from a large one.
import { Command, InvalidArgumentError } from "commander";
import { load, loadModel, save } from "../artifact/index.js";
import { kd } from "../distill/index.js";
import { ArgumentError } from "../errors.js";
import { fit, predict } from "../train/index.js";
import { Dataset } from "../data/index.js";
import { mse } from "../loss/index.js";
import type { Context } from "./context.js";
import { loadData, withData, type DataOptions } from "./data.js";
import { realNumber, requireOut, withOut, type OutOptions, withExamples } from "./options.js";
import { print, say } from "./output.js";
import { describeQuality, metricsOf, qualityOf, shortQuality } from "./quality.js";
import { hasNumbers, recipeOf, withTraining, type TrainingOptions } from "./training.js";

interface DistillOptions extends DataOptions, TrainingOptions, OutOptions {
  readonly temperature: number;
  readonly alpha: number;
  readonly json?: boolean;
}

/** The command `distill`. */
export function distillCommand(context: Context): Command {
  const command = new Command("distill")
    .description("trains a student on what a teacher thinks of the samples (Hinton et al. 2015)")
    .argument("<teacher>", "folder of the model to learn from")
    .argument("<student>", "folder of the model to train on; it is left as it is");
  withOut(command, "the student")
    .option("-t, --temperature <T>", "softens what the teacher says of classes", realNumber, 4)
    .option("--alpha <share>", "share of the teacher in the loss, 0 to 1", alpha, 0.7)
    .option("--json", "print JSON");
  withTraining(withData(command, "what to train on"), 20, 32);
  withExamples(
    command,
    "athanor distill out/large out/small -o out/taught --data customers.csv",
    "athanor distill out/cnn out/student -o out/taught --data mnist --temperature 4 --alpha 0.7",
  );
  return command.action((teacher: string, student: string, options: DistillOptions) => run(teacher, student, options, context)); // prettier-ignore
}

async function run(teacherPath: string, studentPath: string, options: DistillOptions, context: Context): Promise<void> {
  await requireOut(options, [teacherPath, studentPath]);
  using taught = await load(teacherPath);
  using untaught = await load(studentPath);
  const { train, test } = await loadData("distill", options, taught);
  const quality = (model: typeof taught) => qualityOf("distill", model, test, context.signal);
  const before = { teacher: await quality(taught), student: await quality(untaught) };
  const [teacher, student] = await Promise.all([loadModel(teacherPath), loadModel(studentPath)]);
  say(options.quiet, `${studentPath} learns from ${teacherPath}`);
  const { temperature, alpha: weight } = options;
  const recipe = recipeOf(options, train, context);
  if (options.epochs === 0) throw new ArgumentError("distill: --epochs 0 would train nothing; give 1 or more");
  if (hasNumbers(train)) {
    // Of numbers the teacher says one for each sample: the student meets a mixture of it and the label.
    const said = await predict(teacher, train.x, { signal: context.signal });
    const mixed = train.y.data.map((value, i) => (1 - weight) * value + weight * said.data[i]!);
    const y = Object.assign(train.y.reshape(train.y.shape), { data: mixed });
    await fit(student, new Dataset({ x: train.x, y, info: train.info }), { ...recipe, loss: mse() });
  } else {
    await fit(student, train, { ...recipe, distill: kd({ teacher, temperature, alpha: weight }) });
  }
  await save(student, options.out);
  using served = await load(options.out);
  const after = await quality(served);
  await save(student, options.out, { metrics: metricsOf(after) });
  print(options.json, { out: options.out, teacher: before.teacher, before: before.student, after }, () =>
    [
      describeQuality(after),
      `the teacher ${shortQuality(before.teacher)}, the student before ${shortQuality(before.student)}; saved as ${options.out}`,
    ].join("\n"),
  );
}

function alpha(text: string): number {
  const value = realNumber(text);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`expected a share from 0 to 1, got "${text}"`);
}
