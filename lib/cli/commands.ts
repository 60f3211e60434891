// All commands of `athanor`: each reads a data set or artifacts, and those that make a model write another.
import { Command } from "commander";
import { placeOf } from "../artifact/place.js";
import { addon } from "../native/index.js";
import type { Context } from "./context.js";
import { dashboardCommand } from "./dashboard.js";
import { distillCommand } from "./distill.js";
import { doctorCommand } from "./doctor.js";
import { evalCommand } from "./eval.js";
import { inspectCommand } from "./inspect.js";
import { launchCommand } from "./launch.js";
import { planParallelCommand } from "./plan-parallel.js";
import { predictCommand } from "./predict.js";
import { pruneCommand } from "./prune.js";
import { quantizeCommand } from "./quantize.js";
import { runsCommand } from "./runs.js";
import { trainCommand } from "./train.js";
import { tuneCommand } from "./tune.js";

const examples = `
Examples:
  athanor train customers.csv --label tier -o out/tier
  athanor prune out/tier -o out/small --data customers.csv
  athanor quantize out/small -o out/tiny --data customers.csv
  athanor predict out/tiny rows.csv

Exit status: 0 done, 1 failed, 2 called wrongly, 3 done but the model lost more than --max-drop, 130 interrupted.`;

/** The command line as a whole. */
export function commands(signal: AbortSignal): Command {
  const context: Context = { signal };
  const program = new Command("athanor")
    .description("Trains, looks at, measures and compresses models, and predicts with them.")
    .version(addon.version)
    .addHelpText("after", examples)
    .showHelpAfterError("(athanor --help, or athanor <command> --help, says more)")
    .enablePositionalOptions() // `launch` passes on what follows its program
    .exitOverride();
  const all = [trainCommand, predictCommand, inspectCommand, evalCommand, pruneCommand, quantizeCommand, distillCommand, tuneCommand, dashboardCommand, runsCommand, doctorCommand, launchCommand, planParallelCommand]; // prettier-ignore
  for (const make of all) {
    program.addCommand(make(context).exitOverride().showHelpAfterError("(add --help to see all options)"));
  }
  // Said before the work is done, not after it: nothing is ever saved over the working folder or one that holds it.
  program.hook("preAction", async (_, command) => {
    const { out } = command.opts<{ out?: string }>();
    if (out !== undefined) await placeOf("--out", out);
  });
  return program;
}
