// athanor tune: a search that a module exports, in this process or in several workers, on one machine or, with a database, on many.
import { Command } from "commander";
import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { writeStudy } from "../report/index.js";
import { number } from "../train/run/format.js";
import { tune, type Study } from "../tune/index.js";
import type { Context } from "./context.js";
import { wholeNumber, withExamples } from "./options.js";
import { print } from "./output.js";

interface TuneFlags {
  readonly storage?: string;
  readonly name?: string;
  readonly trials?: number;
  readonly workers: number;
  readonly threads?: boolean;
  readonly csv?: string;
  readonly report?: string;
  readonly json?: boolean;
}

/** The command `tune`. */
export function tuneCommand({ signal }: Context): Command {
  const command = new Command("tune")
    .description("searches for the best parameters of an objective; the same call elsewhere, with the same storage, joins in")
    .argument("<module>", "a module whose default export is tune.define(space, objective, options)")
    .option("--storage <place>", "the path of an SQLite file or a postgres:// address; default that of the module")
    .option("--name <name>", "of the study; default that of the module")
    .option("--trials <n>", "of the study in all", wholeNumber)
    .option("--workers <n>", "how many run trials at once", wholeNumber, 1)
    .option("--threads", "workers are threads, not processes")
    .option("--csv <file>", "write all trials as a table")
    .option("--report <file>", "write an HTML page with charts")
    .option("--json", "print the study as JSON"); // prettier-ignore
  withExamples(
    command,
    "athanor tune study.mjs --storage study.db --trials 100 --workers 4 --report study.html",
    "athanor tune study.mjs --storage postgres://search@db/search     # on every machine",
  );
  return command.action((module: string, flags: TuneFlags) => run(module, flags, signal));
}

async function run(module: string, flags: TuneFlags, signal: AbortSignal): Promise<void> {
  const { storage, name, trials, workers, threads } = flags;
  const study = await tune.workers(pathToFileURL(module), {
    workers,
    kind: threads ? "thread" : "process",
    storage,
    name,
    trials,
    signal,
    progress: !flags.json,
  });
  if (flags.csv !== undefined) await writeFile(flags.csv, study.toCSV());
  if (flags.report !== undefined) await writeStudy(flags.report, study);
  print(flags.json, study, () => tell(study));
}

function tell({ best, trials, front, labels }: Study): string {
  if (best === undefined) return `${trials.length} trials, none complete`;
  if (labels.length > 1) {
    return front.map(({ number: at, values, params }) => `trial ${at}: ${values.map(number).join(", ")}  ${JSON.stringify(params)}`).join("\n"); // prettier-ignore
  }
  return `${labels[0]} ${number(best.value)} in trial ${best.number} of ${trials.length}\n${JSON.stringify(best.params)}`;
}
