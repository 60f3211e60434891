// athanor launch: a program on several ranks, started again from its last checkpoint when it breaks.
import { Command, Option } from "commander";
import { supervise } from "../parallel/supervise.js";
import type { Context } from "./context.js";
import { count, wholeNumber, withExamples } from "./options.js";

interface LaunchOptions {
  readonly ranks: number;
  readonly restarts: number;
  readonly mpi?: "openmpi" | "mpich";
  readonly hostfile?: string;
}

/** The command `launch`. */
export function launchCommand(context: Context): Command {
  const command = new Command("launch")
    .description("starts a program on several ranks by MPI, and again when it breaks: with checkpoint and resume: \"auto\" it goes on where it was")
    .argument("<program...>", "a script for Node, or a command, with its arguments")
    .option("-n, --ranks <n>", "how many ranks", wholeNumber, 2)
    .option("-r, --restarts <n>", "how often a job that broke is started again", count, 3)
    .addOption(new Option("--mpi <name>", "which MPI; else the one that is there").choices(["openmpi", "mpich"]))
    .option("--hostfile <file>", "hosts to use, in the launcher's format; else this machine")
    .passThroughOptions(); // prettier-ignore
  withExamples(command, "athanor launch -n 4 train.mjs --epochs 10", "athanor launch -n 8 --hostfile hosts train.mjs");
  return command.action(async (program: string[], { ranks, restarts, mpi, hostfile }: LaunchOptions) => {
    const isScript = /\.[cm]?[jt]s$/.test(program[0]!);
    await supervise({
      program: isScript ? [process.execPath, ...process.execArgv, ...program] : program,
      ranks,
      restarts,
      mpi,
      hostfile,
      signal: context.signal,
      onRestart: (restart, code) =>
        process.stderr.write(`athanor launch: exit code ${code}; start ${restart + 1} of ${restarts + 1}\n`),
    });
  });
}
