// athanor plan-parallel: memory and time of a run by strategy, before it is paid for.
import { Command } from "commander";
import { plan } from "../parallel/plan.js";
import { configOf, settingsOf } from "./config.js";
import type { Context } from "./context.js";
import { wholeNumber, withExamples } from "./options.js";
import { print } from "./output.js";

interface PlanFlags {
  readonly ranks: number;
  readonly ranksPerHost?: number;
  readonly latency?: string;
  readonly bandwidth?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
}

/** The command `plan-parallel`. */
export function planParallelCommand(_: Context): Command {
  const command = new Command("plan-parallel")
    .description("predicts memory and time of a run on several ranks, by strategy, and says when more of them will not pay")
    .argument("<config>", "a module that gives model, data and options, as train takes it")
    .option("-n, --ranks <n>", "how many ranks there would be", wholeNumber, 8)
    .option("--ranks-per-host <n>", "how many of them share a host; else all", wholeNumber)
    .option("--latency <us>", "microseconds until a small message has arrived; else as measured under mpirun, or 10")
    .option("--bandwidth <gb>", "gigabytes a second between two ranks; else likewise, or 4")
    .option("--set <name=value...>", "settings for the config, as train takes them")
    .option("--json", "print JSON"); // prettier-ignore
  withExamples(command, "athanor plan-parallel train.mjs --ranks 8", "athanor plan-parallel train.mjs -n 64 --ranks-per-host 4 --latency 30 --bandwidth 1.2"); // prettier-ignore
  return command.action(async (path: string, flags: PlanFlags) => {
    const { model, data, options } = await configOf(path, settingsOf(flags.set ?? []));
    const number = (text: string | undefined, unit: number) => (text === undefined ? undefined : Number(text) * unit);
    const made = await plan(model, data, options, {
      ranks: flags.ranks,
      ranksPerHost: flags.ranksPerHost,
      latency: number(flags.latency, 1e-6),
      bandwidth: number(flags.bandwidth, 1e9),
    });
    const { predictions, machine, pays } = made;
    print(flags.json, { predictions, machine, pays }, () => String(made));
  });
}
