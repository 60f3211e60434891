// The charts of a search: what its trials came to, and where in the space they lay.
import { flatten as leaves } from "../tune/study/table.js";
import { isFeasible, type FinishedTrial } from "../tune/study/finished.js";
import { toUnit, type Distribution, type FlatSpace } from "../tune/space/index.js";
import type { StoredTrial } from "../tune/storage/storage.js";
import type { Importance } from "../tune/analysis/index.js";
import type { Study } from "../tune/study/study.js";
import { number } from "../train/run/format.js";
import type { Canvas } from "./canvas.js";
import type { Html } from "./html.js";

/** A chart under its title. */
export interface StudyChart {
  readonly title: string;
  readonly note?: string;
  readonly wide?: boolean;
  readonly drawing: Html;
}

const size = { width: 460, height: 260, marginLeft: 56, marginRight: 14, marginTop: 12, marginBottom: 38 };
const most = 3000;

/** Trials that a chart shows: all, or as many as are drawn without lag, evenly spread. */
const shown = <T>(list: readonly T[]): readonly T[] =>
  list.length <= most ? list : Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]!);

const titleOf = ({ number: at, params, values }: FinishedTrial): string =>
  `trial ${at}\n${values.map(number).join(", ")}\n${Object.entries(leaves(params as object)).map(([name, value]) => `${name} ${typeof value === "number" ? number(value) : JSON.stringify(value)}`).join("\n")}`; // prettier-ignore

/** Values by number, with the best so far. */
export function historyChart(canvas: Canvas, study: Study, k: number): StudyChart {
  const done = study.trials.filter(isFeasible);
  const [label, direction] = [study.labels[k]!, study.directions[k]!];
  let best: number | undefined;
  const line = done.map((trial) => {
    const value = trial.values[k]!;
    best = best === undefined ? value : direction === "minimize" ? Math.min(best, value) : Math.max(best, value);
    return { number: trial.number, best };
  });
  const drawing = canvas.draw(
    {
      ...size,
      x: { label: "trial", labelArrow: "none" },
      y: { label: null, nice: true, tickFormat: number },
      marks: [
        canvas.Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
        canvas.Plot.dot(shown(done), { x: "number", y: (trial: FinishedTrial) => trial.values[k]!, r: 2.6, fill: "var(--c1)", fillOpacity: 0.6, title: titleOf }),
        canvas.Plot.lineY(line, { x: "number", y: "best", stroke: "var(--c0)", strokeWidth: 2, curve: "step-after" }),
      ],
    },
    `${label} of every trial, and the best so far`,
  ); // prettier-ignore
  return { title: `${label}: history`, note: `${direction}d; the line is the best so far`, drawing };
}

/** What running trials reported, the pruned ones fainter. */
export function curvesChart(canvas: Canvas, study: Study): StudyChart | undefined {
  const reported = shown(study.trials.filter(({ intermediate }) => intermediate.length > 1)).slice(-300);
  if (reported.length === 0) return undefined;
  const points = reported.flatMap((trial) =>
    trial.intermediate.filter(({ value }) => Number.isFinite(value)).map(({ step, value }) => ({ step, value, number: trial.number, pruned: trial.state === "pruned" })),
  ); // prettier-ignore
  const lines = (pruned: boolean, stroke: string, opacity: number) =>
    canvas.Plot.lineY(points.filter((point) => point.pruned === pruned), { x: "step", y: "value", z: "number", stroke, strokeOpacity: opacity, strokeWidth: 1.2, title: (point: { number: number }) => `trial ${point.number}` }); // prettier-ignore
  const drawing = canvas.draw(
    {
      ...size,
      x: { label: "step", labelArrow: "none" },
      y: { label: null, nice: true, tickFormat: number },
      marks: [canvas.Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }), lines(true, "var(--c5)", 0.55), lines(false, "var(--c2)", 0.8)],
    },
    "reported values of trials by step",
  ); // prettier-ignore
  return { title: "Reported values", note: "green to the end, grey pruned", drawing };
}

/** Each trial a line over all parameters, coloured by its rank. */
export function parallelChart(canvas: Canvas, study: Study): StudyChart | undefined {
  const parameters = varied(study.space);
  const done = ranked(study);
  if (parameters.length < 2 || done.length < 2) return undefined;
  const points = done.slice(0, 500).toReversed().flatMap(({ record, share }) => // the best on top
    parameters.flatMap(({ name, distribution }) => {
      const value = record.params[name];
      return value === undefined ? [] : [{ name, at: toUnit(distribution, value), number: record.number, share }];
    }),
  ); // prettier-ignore
  const drawing = canvas.draw(
    {
      width: Math.max(460, Math.min(1080, parameters.length * 150)),
      height: 300,
      marginLeft: 40,
      marginRight: 40,
      marginTop: 16,
      marginBottom: 52,
      x: { type: "point", domain: parameters.map(({ name }) => name), label: null, tickSize: 0, tickPadding: 22 },
      y: { domain: [0, 1], axis: null },
      color: { type: "identity" },
      marks: [
        canvas.Plot.ruleX(parameters.map(({ name }) => name), { stroke: "var(--line)" }),
        canvas.Plot.line(points, { x: "name", y: "at", z: "number", stroke: ({ share }: { share: number }) => `color-mix(in oklab, var(--c5) ${Math.round(share * 100)}%, var(--c0))`, strokeOpacity: 0.55, strokeWidth: 1.3, title: (point: { number: number }) => `trial ${point.number}` }),
        ...[0, 1].map((end) => canvas.Plot.text(parameters, { x: "name", y: end, dy: end === 0 ? 10 : -9, text: ({ distribution }: { distribution: Distribution }) => endOf(distribution, end), fill: "var(--soft)", fontSize: 10 })),
      ],
    },
    "parameters of every trial",
  ); // prettier-ignore
  return {
    title: "Parallel coordinates",
    note: "a line a trial, from the best (strong) to the worst (grey)",
    wide: true,
    drawing,
  };
}

/** A value over one parameter. */
export function sliceCharts(canvas: Canvas, study: Study): StudyChart[] {
  const byNumber = new Map(study.trials.map((trial) => [trial.number, trial]));
  return varied(study.space).slice(0, 12).flatMap(({ name, distribution }) => {
    const points = shown(ranked(study)).flatMap(({ record }) => {
      const value = record.params[name];
      const trial = byNumber.get(record.number)!;
      return value === undefined ? [] : [{ x: distribution.kind === "choice" ? JSON.stringify(distribution.choices[value]) : value, y: trial.values[0]!, trial }];
    });
    if (points.length === 0) return [];
    const isLog = distribution.kind === "logUniform" || (distribution.kind === "int" && distribution.log);
    const drawing = canvas.draw(
      {
        ...size,
        height: 220,
        x: distribution.kind === "choice" ? { type: "point", domain: distribution.choices.map((choice) => JSON.stringify(choice)), label: null, padding: 0.6 } : { type: isLog ? "log" : "linear", label: null, tickFormat: number, ticks: 5 },
        y: { label: null, nice: true, tickFormat: number },
        marks: [
          canvas.Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
          canvas.Plot.dot(points, { x: "x", y: "y", r: 2.6, fill: "var(--c1)", fillOpacity: 0.6, title: ({ trial }: { trial: FinishedTrial }) => titleOf(trial) }),
        ],
      },
      `${study.labels[0]} over ${name}`,
    );
    return [{ title: name, note: study.labels[0]!, drawing }];
  }); // prettier-ignore
}

/** The share of each parameter in what the value varies by. */
export function importanceChart(canvas: Canvas, shares: readonly Importance[]): StudyChart {
  const drawing = canvas.draw(
    {
      ...size,
      height: 40 + 26 * shares.length,
      marginLeft: 130,
      x: { label: null, percent: true, domain: [0, Math.max(10, ...shares.map(({ share }) => 100 * share))], tickFormat: (value: number) => `${value} %`, ticks: 4 },
      y: { label: null, domain: shares.map(({ name }) => name), tickSize: 0 },
      marks: [canvas.Plot.barX(shares, { x: "share", y: "name", fill: "var(--c0)", insetTop: 3, insetBottom: 3, title: ({ share }: Importance) => `${(100 * share).toFixed(1)} %` })],
    },
    "importance of parameters",
  ); // prettier-ignore
  return { title: "Importance", note: "share of the variance that a parameter explains (fANOVA)", drawing };
}

/** The first two of several values, with the trials that no other dominates. */
export function frontChart(canvas: Canvas, study: Study): StudyChart | undefined {
  if (study.directions.length < 2) return undefined;
  const front = new Set(study.front.map(({ number: at }) => at));
  const done = study.trials.filter(isFeasible);
  const dots = (best: boolean) =>
    canvas.Plot.dot(shown(done.filter((trial) => front.has(trial.number) === best)), { x: (trial: FinishedTrial) => trial.values[0]!, y: (trial: FinishedTrial) => trial.values[1]!, r: best ? 4 : 2.4, fill: best ? "var(--c0)" : "var(--c5)", fillOpacity: best ? 1 : 0.5, title: titleOf }); // prettier-ignore
  const drawing = canvas.draw(
    {
      ...size,
      x: { label: study.labels[0]!, labelArrow: "none", nice: true, tickFormat: number, ticks: 5 },
      y: { label: study.labels[1]!, labelArrow: "none", nice: true, tickFormat: number },
      marks: [canvas.Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }), dots(false), dots(true)],
    },
    "values of all trials, and the front",
  );
  return { title: "Front", note: `${front.size} trials that no other beats in every value`, drawing };
}

/** When each trial ran. */
export function timelineChart(canvas: Canvas, study: Study): StudyChart | undefined {
  const timed = shown(study.trials.filter(({ started, ended }) => started !== undefined && ended !== undefined)).slice(
    -400,
  );
  if (timed.length === 0) return undefined;
  const first = Math.min(...timed.map(({ started }) => started!.getTime()));
  const colors: Record<string, string> = {
    complete: "var(--c2)",
    pruned: "var(--c5)",
    failed: "var(--c0)",
    infinite: "var(--c4)",
  };
  const drawing = canvas.draw(
    {
      ...size,
      x: { label: "seconds", labelArrow: "none" },
      y: { label: "trial", labelArrow: "none", reverse: true },
      marks: [
        canvas.Plot.ruleY(timed, { y: "number", x1: ({ started }: FinishedTrial) => (started!.getTime() - first) / 1000, x2: ({ ended }: FinishedTrial) => (ended!.getTime() - first) / 1000, stroke: ({ state }: FinishedTrial) => colors[state] ?? "var(--c5)", strokeWidth: Math.max(1, Math.min(5, 200 / timed.length)), title: titleOf }),
      ],
    },
    "when each trial ran",
  ); // prettier-ignore
  return { title: "Timeline", note: "green complete, grey pruned, orange failed", drawing };
}

const varied = (space: FlatSpace) =>
  space.parameters.filter(({ distribution }) => distribution.kind === "choice" ? distribution.choices.length > 1 : distribution.low < distribution.high); // prettier-ignore

// Feasible trials from the best to the worst by the first value; `share` is the place between both.
function ranked(study: Study): { readonly record: StoredTrial; readonly share: number }[] {
  const sign = study.directions[0] === "minimize" ? 1 : -1;
  const done = study.records.filter(({ state, values = [], constraints = [] }) =>
    isFeasible({ state, values, constraints }),
  );
  const sorted = [...done].sort((a, b) => sign * (a.values![0]! - b.values![0]!));
  return sorted.map((record, i) => ({ record, share: sorted.length === 1 ? 0 : i / (sorted.length - 1) }));
}

function endOf(distribution: Distribution, end: number): string {
  if (distribution.kind !== "choice") return number(end === 0 ? distribution.low : distribution.high);
  return JSON.stringify(end === 0 ? distribution.choices[0] : distribution.choices.at(-1));
}
