// All commands of `athanor`: each reads artifacts, and those that change one write another.
import { Command } from "commander";
import { placeOf } from "../artifact/place.js";
import { addon } from "../native/index.js";
import { distillCommand } from "./distill.js";
import { evalCommand } from "./eval.js";
import { inspectCommand } from "./inspect.js";
import { pruneCommand } from "./prune.js";
import { quantizeCommand } from "./quantize.js";

/** What every command is given. */
export interface Context {
  readonly signal: AbortSignal;
}

/** The command line as a whole. */
export function commands(signal: AbortSignal): Command {
  const context: Context = { signal };
  const program = new Command("athanor")
    .description("Looks at, measures and compresses models saved by artifact.save.")
    .version(addon.version)
    .showHelpAfterError("(athanor --help, or athanor <command> --help, says more)")
    .exitOverride();
  for (const make of [inspectCommand, evalCommand, pruneCommand, quantizeCommand, distillCommand]) {
    program.addCommand(make(context).exitOverride().showHelpAfterError("(add --help to see all options)"));
  }
  // Said before the work is done, not after it: nothing is ever saved over the working folder or one that holds it.
  program.hook("preAction", async (_, command) => {
    const { out } = command.opts<{ out?: string }>();
    if (out !== undefined) await placeOf("--out", out);
  });
  return program;
}
