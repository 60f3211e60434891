// Puts rows of both sides together: node bench/tune/summary.mjs --out bench/results/tune FILE.jsonl …
// Writes FILE.json with medians and quartiles, and FILE.md with the tables. What FILE.json has and no row is about stays.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: "string" } } });
const rows = positionals.flatMap((path) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line)),
);

function quantile(list, q) {
  const sorted = [...list].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

const grouped = (list, key) => Object.entries(Object.groupBy?.(list, key) ?? group(list, key));
function group(list, key) {
  const groups = {};
  for (const row of list) (groups[key(row)] ??= []).push(row);
  return groups;
}

const spread = (list) => ({
  median: quantile(list, 0.5),
  quartiles: [quantile(list, 0.25), quantile(list, 0.75)],
  seeds: list.length,
});
const short = (x) => (x === 0 || Math.abs(x) >= 1e-3 ? String(Number(x.toPrecision(4))) : x.toExponential(1));
const shown = ({ median, quartiles }) => `${short(median)} [${quartiles.map(short).join(", ")}]`;

const quality = rows.filter((row) => row.best !== undefined && row.function);
const cells = grouped(quality, (row) => `${row.sampler}|${row.function}`).flatMap(([key, list]) => {
  const [sampler, name] = key.split("|");
  const budgets = [...new Set(list.flatMap((row) => Object.keys(row.best)))];
  return budgets.map((trials) => {
    const of = (own) => list.filter((row) => (row.system === "athanor") === own && row.best[trials] !== undefined);
    const side = (own) => (of(own).length ? spread(of(own).map((row) => row.best[trials])) : undefined);
    return { sampler, function: name, trials: Number(trials), athanor: side(true), optuna: side(false) };
  });
});
const conditional = grouped(
  rows.filter((row) => row.problem),
  (row) => `${row.system}|${row.sampler}|${row.problem}`,
).map(([key, list]) => {
  const [system, sampler, problem] = key.split("|");
  const right = list.filter((row) => row.right).length / list.length;
  return { system, sampler, problem, right, ...spread(list.map((row) => row.best)) };
});
const fronts = grouped(
  rows.filter((row) => row.hypervolume !== undefined),
  (row) => `${row.system}|${row.sampler}|${row.function}`,
).map(([key, list]) => {
  const [system, sampler, name] = key.split("|");
  return { system, sampler, function: name, ...spread(list.map((row) => row.hypervolume)) };
});
const before = existsSync(`${options.out}.json`) ? JSON.parse(readFileSync(`${options.out}.json`, "utf8")) : {};
const kept = (part, made, key) => {
  const own = new Set(made.map(key));
  return [...(before[part] ?? []).filter((row) => !own.has(key(row))), ...made];
};
const date = new Date().toISOString().slice(0, 10);
const machine = `${os.cpus()[0]?.model.trim()}, ${os.cpus().length} cores, node ${process.versions.node}`;
const load = Number(os.loadavg()[0].toFixed(1));
/** What only one side ran anew keeps the other side of before. */
const cellOf = (cell) => {
  const old = (before.cells ?? []).find((c) => c.sampler === cell.sampler && c.function === cell.function && c.trials === cell.trials); // prettier-ignore
  return { ...cell, athanor: cell.athanor ?? old?.athanor, optuna: cell.optuna ?? old?.optuna, load };
};
const merged = {
  ...before,
  machine: before.machine ?? `${machine}; ${date}; load ${load}`,
  cells: kept("cells", cells.map(cellOf), (c) => `${c.sampler}|${c.function}|${c.trials}`), // prettier-ignore
  conditional: kept("conditional", conditional.map((row) => ({ ...row, load })), (c) => `${c.system}|${c.sampler}|${c.problem}`), // prettier-ignore
  fronts: kept("fronts", fronts, (c) => `${c.system}|${c.sampler}|${c.function}`),
  cost: kept("cost", rows.filter((row) => row.history !== undefined && row.cpuMs !== undefined), (c) => `${c.system}|${c.sampler}|${c.history}`), // prettier-ignore
  storage: kept("storage", rows.filter((row) => row.perSecond !== undefined), (c) => `${c.storage}|${c.processes}|${c.slots}|${c.apart ?? false}|${c.rate ?? 0}`), // prettier-ignore
  opening: kept(
    "opening",
    rows.filter((row) => row.open !== undefined),
    (c) => c.open,
  ),
  growth: kept(
    "growth",
    rows.filter((row) => row.growth !== undefined),
    (c) => c.growth,
  ),
  loop: kept(
    "loop",
    rows.filter((row) => row.loop !== undefined),
    (c) => c.history,
  ),
  throughput: kept(
    "throughput",
    rows.filter((row) => row.throughput !== undefined),
    (c) => c.throughput,
  ),
  pruners: kept(
    "pruners",
    rows.filter((row) => row.pruner !== undefined),
    (c) => `${c.pruner}|${c.curves}`,
  ),
  kills: kept(
    "kills",
    rows.filter((row) => row.takeover !== undefined),
    (c) => c.storage,
  ),
};
writeFileSync(`${options.out}.json`, `${JSON.stringify(merged, null, 1)}\n`);

const verdict = ({ athanor, optuna }) =>
  !athanor || !optuna ? "" : athanor.median <= optuna.median + 1e-4 * Math.abs(optuna.median) ? "at most" : athanor.median <= optuna.quartiles[1] ? "within its quartiles" : "worse"; // prettier-ignore
const table = (head, lines) => [`| ${head.join(" | ")} |`, `|${head.map(() => "---").join("|")}|`, ...lines.map((line) => `| ${line.join(" | ")} |`), ""]; // prettier-ignore
const md = [
  "# Search beside Optuna 5",
  "",
  `${merged.machine}; rows with a load of their own were made later. Medians over seeds, quartiles in brackets; the value without noise of the best trial. CPU time of the sampler alone.`,
  "",
  "## Best value",
  "",
  ...table(["sampler", "function", "trials", "Athanor", "Optuna", "seeds", "Athanor is"], merged.cells.map((c) => [c.sampler, c.function, c.trials, c.athanor ? shown(c.athanor) : "", c.optuna ? shown(c.optuna) : "", `${c.athanor?.seeds ?? 0}, ${c.optuna?.seeds ?? 0}`, verdict(c)])), // prettier-ignore
  "## Conditional and mixed spaces: share of runs that end in the right branch (200 trials)",
  "",
  ...table(["system", "sampler", "problem", "right", "best value", "seeds"], merged.conditional.map((c) => [c.system, c.sampler, c.problem, c.right.toFixed(2), shown(c), c.seeds])), // prettier-ignore
  "## Hypervolume on ZDT1 after 500 trials (ideal 0.877 in 6-D, 5.667 in 30-D)",
  "",
  ...table(["system", "sampler", "problem", "hypervolume", "seeds"], merged.fronts.map((c) => [c.system, c.sampler, c.function, shown(c), c.seeds])), // prettier-ignore
  "## CPU milliseconds a trial, six numbers",
  "",
  ...table(["system", "sampler", "past trials", "ms", "first question"], merged.cost.map((c) => [c.system, c.sampler, c.history, short(c.cpuMs), c.firstMs === undefined ? "" : short(c.firstMs)])), // prettier-ignore
  "## Pruners on 200 learning curves of 81 epochs: regret of the best complete one, epochs trained (bench/tune/pruners.ts)",
  "",
  ...table(["pruner", "curves", "regret", "epochs", "seeds"], merged.pruners.map((c) => [c.pruner, c.curves, shown(c.regret), shown(c.epochs), c.seeds])), // prettier-ignore
  "## Storages: trials a second of processes that start together, milliseconds of an ask and of the longest operation",
  "",
  "The disk's own rate is of 4 KiB in place and fdatasync, one after the other, in the same run (bench/tune/disk.ts). Load above 2 is work of others.",
  "An ask is all between the question for a trial and its objective; a gap all between two objectives, the end of the last trial too. “At”: objectives",
  "end so that all processes together make about so many trials a second; elsewhere they take no time, all processors are busy with asks alone, and",
  "what is measured is the queue for them. “Apart”: each process has a file, or a study, of its own: this queue without a lock, the least that",
  "so many processes can have on this machine.",
  "",
  ...table(["storage", "processes × slots", "trials", "reports", "trials/s", "ask p50", "p99", "gap p99", "longest", "failed, missing, doubled", "syncs/s of the disk", "load"], merged.storage.map((c) => [`${c.storage}${c.apart ? ", apart" : ""}${c.rate ? `, at ${c.rate}` : ""}`, `${c.processes} × ${c.slots}`, c.trials, c.reports, c.perSecond, c.ask.p50, c.ask.p99, c.gap?.p99 ?? "", c.wait, [c.failed, c.missing, c.doubled].join(", "), c.disk?.perSecond ?? "", c.load])), // prettier-ignore
  "## Opening a study of many trials with ten reports each: milliseconds (bench/tune/open.ts)",
  "",
  ...table(["storage", "trials", "tune.load", "first trial of a search that goes on, by TPE", "load"], merged.opening.map((c) => [c.open, c.trials, c.loadMs, c.firstTrialMs, c.load])), // prettier-ignore
  "## Growth: CPU milliseconds and bytes a trial, by quarters of the search",
  "",
  ...table(["search", "trials", "ms", "bytes"], merged.growth.map((c) => [c.growth, c.trials, c.cpuMs.join(", "), c.bytes.join(", ")])), // prettier-ignore
  "## The event loop while a Gaussian process is fitted (delay in ms; idle beside)",
  "",
  ...table(["trials", "p50", "p99", "most", "idle p99"], merged.loop.map((c) => [c.history, c.fitting.p50, c.fitting.p99, c.fitting.max, c.idle.p99])), // prettier-ignore
  "## Deterministic order: its share of the free order's trials a second",
  "",
  ...table(["workers", "ratio", "least", "pairs", "load"], merged.throughput.map((c) => [c.throughput, c.ratio, c.least, c.pairs, c.load])), // prettier-ignore
  "## Killed workers (npm run test:tune-kills): ms from a kill to the next step of its trial",
  "",
  ...table(["storage", "minutes", "trials", "kills", "stops", "restarts", "late writes refused", "same table", "p50", "p90", "most", "lease", "load"], merged.kills.map((c) => [c.storage, c.minutes, c.trials, c.kills, c.stops, c.restarts, c.refused, c.same, c.takeover.p50, c.takeover.p90, c.takeover.most, c.lease * 1000, c.load])), // prettier-ignore
];
writeFileSync(`${options.out}.md`, `${md.join("\n")}`);
