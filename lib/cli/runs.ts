// athanor runs: the runs in a folder, one of them, what differs between them, a report.
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { Command } from "commander";
import { ArgumentError, FileError } from "../errors.js";
import { readRun, readRunFile, type RunFolder } from "../log/index.js";
import { whole } from "../report/number-text.js";
import { reportOf } from "../report/from-run.js";
import { write } from "../report/page.js";
import { textTable } from "../tensor/text-table.js";
import { duration, number } from "../train/run/format.js";
import { withExamples } from "./options.js";
import { print } from "./output.js";

interface RunsOptions {
  readonly compare?: boolean;
  readonly report?: string;
  readonly json?: boolean;
}

const where = "runs";

/** The command `runs`. */
export function runsCommand(): Command {
  const command = new Command("runs")
    .description("lists the runs that were logged in a folder, or shows one: how they stand, their best metrics, what they were asked for")
    .argument("<folder>", "the folder of a run (log: { dir }), or one that holds several")
    .option("--compare", "only the options that differ, beside the metrics that came of them")
    .option("--report <file>", "write the HTML report of the runs, live or ended")
    .option("--json", "print JSON"); // prettier-ignore
  withExamples(command, "athanor runs runs/", "athanor runs runs/digits", "athanor runs runs/ --compare", "athanor runs runs/ --report report.html"); // prettier-ignore
  return command.action(async (folder: string, options: RunsOptions) => {
    const runs = await runsIn(folder);
    if (options.report !== undefined) {
      const [first, ...more] = runs.map((run) => ({ run, page: reportOf(run) }));
      const models = [first!, ...more].flatMap(({ run, page }) => page.models.map((model) => ({ ...model, name: basename(run.dir) }))); // prettier-ignore
      await write(options.report, runs.length === 1 ? first!.page : { ...first!.page, title: `Runs in ${folder}`, lead: `${runs.length} runs.`, models }); // prettier-ignore
    }
    const facts = runs.map((run) => ({ dir: run.dir, last: lastMetrics(run), ...run.file }));
    print(options.json, facts, () => {
      const wrote = options.report === undefined ? "" : `\nwrote ${options.report}`;
      if (options.compare) return comparison(runs) + wrote;
      return (runs.length === 1 ? shown(runs[0]!) : list(runs)) + wrote;
    });
  });
}

async function runsIn(folder: string): Promise<RunFolder[]> {
  if (await readRunFile(where, folder)) return [await readRun(where, folder)];
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new FileError(`${where}: cannot read "${folder}" (${(cause as NodeJS.ErrnoException).code})`, { cause });
  });
  const found: RunFolder[] = [];
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    const dir = join(folder, name);
    if (await readRunFile(where, dir)) found.push(await readRun(where, dir));
  }
  if (found.length > 0) return found.sort((a, b) => (a.file.begun < b.file.begun ? -1 : 1));
  throw new ArgumentError(
    `${where}: there is no run in "${folder}"; train.fit(…, { log: { dir } }) writes one, as does athanor train with a config that says log`,
  );
}

// The last value of every metric of epochs and validations; of steps where there is nothing else.
function lastMetrics({ records }: RunFolder): Record<string, number> {
  const told = records.filter(({ kind }) => kind === "epoch" || kind === "validation");
  const from = told.length > 0 ? told : records.filter(({ kind }) => kind === "step");
  const { seconds: _, samplesPerSecond: __, ...metrics } = Object.assign({}, ...from.map(({ metrics: each }) => each)) as Record<string, number>; // prettier-ignore
  return metrics;
}

// What a checkpoint took is told when it is written, which may be after later steps.
const stepOf = ({ records }: RunFolder): number => records.reduce((most, { step }) => Math.max(most, step), 0);

function list(runs: readonly RunFolder[]): string {
  const rows = runs.map((run) => {
    const { status, begun, options } = run.file;
    const metrics = Object.entries(lastMetrics(run)).map(([name, value]) => `${name} ${number(value)}`);
    return [basename(run.dir), status, `${stepOf(run)}/${String(options.steps)}`, begun.slice(0, 16).replace("T", " "), metrics.slice(0, 4).join(", ")]; // prettier-ignore
  });
  return textTable(["run", "status", "steps", "begun", "last metrics"], rows, 5);
}

function shown(run: RunFolder): string {
  const { status, begun, updated, resumed, seed, model, data, versions, machine, git, error, options } = run.file;
  const lines: [string, string][] = [
    ["status", error === undefined ? status : `${status}: ${error}`],
    ["begun", `${begun}, updated ${updated}${resumed.length > 0 ? `, went on from step ${resumed.map(({ step }) => step).join(", ")}` : ""}`],
    ["steps", `${stepOf(run)} of ${String(options.steps)}`],
    ["took", duration((Date.parse(updated) - Date.parse(begun)) / 1e3)],
    ["model", `${whole(model.parameters)} parameters in ${Object.keys(model.layers).length} arrays`],
    ["data", `${(data.samples as number | null) ?? "an unknown number of"} samples, x ${String(data.x)}, y ${String(data.y)}`],
    ["seed", String(seed)],
    ["code", git ? `${git.commit}${git.dirty ? " with changes" : ""}` : "not in git"],
    ["with", `athanor ${versions.athanor}, Node ${versions.node}, ${machine.cpu} (${machine.isa}, ${machine.threads} threads)`],
  ]; // prettier-ignore
  const metrics = Object.entries(lastMetrics(run)).map(([name, value]): [string, string] => [name, number(value)]);
  const asked = Object.entries(plain(options)).map(([name, value]): [string, string] => [name, value]);
  const part = (rows: readonly (readonly [string, string])[]) =>
    rows.map(([name, value]) => `  ${name.padEnd(22)}  ${value}`).join("\n");
  return [run.dir, part(lines), "", "last metrics", part(metrics), "", "options", part(asked)].join("\n");
}

function comparison(runs: readonly RunFolder[]): string {
  const options = runs.map(({ file }): Record<string, string> => ({ seed: String(file.seed), ...plain(file.options) }));
  const names = [...new Set(options.flatMap((each) => Object.keys(each)))];
  const differing = names.filter((name) => new Set(options.map((each) => each[name])).size > 1);
  const metrics = runs.map(lastMetrics);
  const measured = [...new Set(metrics.flatMap((each) => Object.keys(each)))];
  const rows = runs.map((run, i) => [
    basename(run.dir),
    run.file.status,
    ...differing.map((name) => options[i]![name] ?? "–"),
    ...measured.map((name) => (metrics[i]![name] === undefined ? "–" : number(metrics[i]![name]))),
  ]);
  return textTable(["run", "status", ...differing, ...measured], rows, 2 + differing.length);
}

// Nested options by their path; samples of schedules and hashes tell a person nothing.
function plain(options: Readonly<Record<string, unknown>>, path = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]): [string, string][] => {
      const full = path === "" ? name : `${path}.${name}`;
      if (name.startsWith("at step ") && name !== "at step 0") return [];
      if (value === null || value === undefined || name === "content") return [];
      if (typeof value === "object" && !Array.isArray(value)) return Object.entries(plain(value as Record<string, unknown>, full)); // prettier-ignore
      return [[full, typeof value === "string" ? value : JSON.stringify(value)]];
    }),
  );
}
