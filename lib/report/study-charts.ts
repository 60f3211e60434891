// Charts of a search: what its trials came to.
import { flatten as leaves } from "../tune/study/table.js";
import { isFeasible, type FinishedTrial } from "../tune/study/finished.js";
import type { Study } from "../tune/study/study.js";
import { number } from "../train/run/format.js";
import type { Canvas } from "./canvas.js";
import type { Html } from "./html.js";
import { costTicks } from "./ticks.js";

/** A chart under its title. */
export interface StudyChart {
  readonly title: string;
  readonly note?: string;
  readonly wide?: boolean;
  readonly drawing: Html;
}

/** What charts of a study share. */
export const size = { width: 460, height: 260, marginLeft: 56, marginRight: 14, marginTop: 12, marginBottom: 38 };
const most = 3000;

/** Trials that a chart shows: all, or as many as are drawn without lag, evenly spread. */
export const shown = <T>(list: readonly T[]): readonly T[] =>
  list.length <= most ? list : Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]!);

/** A value of a choice as text: strings as they are. */
export const nameOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** What is known of a trial, for a pointer that rests on it. */
export const titleOf = ({ number: at, params, values }: FinishedTrial): string =>
  `trial ${at}\n${values.map(number).join(", ")}\n${Object.entries(leaves(params as object)).map(([name, value]) => `${name} ${typeof value === "number" ? number(value) : nameOf(value)}`).join("\n")}`; // prettier-ignore

/** Lines across. */
export const grid = (canvas: Canvas, ticks?: number | number[]) => canvas.Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ...(ticks === undefined ? {} : { ticks }) }); // prettier-ignore

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
      y: { label: null, nice: true, tickFormat: short },
      marks: [
        grid(canvas),
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
      y: { label: null, nice: true, tickFormat: short },
      marks: [grid(canvas), lines(true, "var(--c5)", 0.55), lines(false, "var(--c2)", 0.8)],
    },
    "reported values of trials by step",
  ); // prettier-ignore
  return { title: "Reported values", note: "green to the end, grey pruned", drawing };
}

/** Two of several values, with the trials that no other dominates. */
function frontChart(canvas: Canvas, study: Study, [a, b]: readonly [number, number]): StudyChart {
  const front = new Set(study.front.map(({ number: at }) => at));
  const done = study.trials.filter(isFeasible);
  const dots = (best: boolean) =>
    canvas.Plot.dot(shown(done.filter((trial) => front.has(trial.number) === best)), { x: (trial: FinishedTrial) => trial.values[a]!, y: (trial: FinishedTrial) => trial.values[b]!, r: best ? 4 : 2.4, fill: best ? "var(--c0)" : "var(--c5)", fillOpacity: best ? 1 : 0.5, title: titleOf }); // prettier-ignore
  const ofTwo = study.directions.length === 2;
  const steps = ofTwo ? [...study.front].sort((one, other) => one.values[a]! - other.values[a]!) : [];
  const axis = (k: number) => ({ label: study.labels[k]!, labelArrow: "none" as const, ...scaleOf(done.map(({ values }) => values[k]!)) }); // prettier-ignore
  const drawing = canvas.draw(
    {
      ...size,
      height: 280,
      marginTop: 30, // room for the name of the axis
      x: axis(a),
      y: axis(b),
      marks: [
        grid(canvas, axis(b).ticks),
        dots(false),
        canvas.Plot.line(steps, { x: (trial: FinishedTrial) => trial.values[a]!, y: (trial: FinishedTrial) => trial.values[b]!, curve: study.directions[a] === "minimize" ? "step-after" : "step-before", stroke: "var(--c0)", strokeOpacity: 0.6 }),
        dots(true),
      ],
    },
    `${study.labels[a]} and ${study.labels[b]} of all trials, and the front`,
  ); // prettier-ignore
  const note = ofTwo
    ? `${front.size} trials that no other beats in both`
    : `${front.size} trials that no other beats in all ${study.directions.length} values`;
  return { title: `Front: ${study.labels[a]!} and ${study.labels[b]!}`, note, drawing };
}

/** The front in every pair of values. */
export function frontCharts(canvas: Canvas, study: Study): StudyChart[] {
  const values = study.directions.map((_, k) => k);
  const pairs = values.flatMap((a) => values.slice(a + 1).map((b) => [a, b] as const));
  return study.feasible.length === 0 ? [] : pairs.slice(0, 6).map((pair) => frontChart(canvas, study, pair));
}

// Values are better read on a logarithmic axis where all are above 0 and over more than a factor of 50.
function scaleOf(values: readonly number[]) {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  if (low > 0 && high / low > 50)
    return { type: "log" as const, ticks: costTicks([low, high]), tickFormat: short, nice: true };
  return { type: "linear" as const, ticks: 5, tickFormat: short, nice: true };
}

/** A number for an axis: `943k`, `0.05`. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e12) return value.toExponential(1);
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) if (size >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`; // prettier-ignore
  return size > 0 && size < 1e-3 ? value.toExponential(1) : `${Number(value.toPrecision(3))}`;
}

/** The share of trials at least as good as a value. */
export function edfChart(canvas: Canvas, study: Study, k: number): StudyChart | undefined {
  const sorted = study.feasible.map(({ values }) => values[k]!).sort((a, b) => a - b);
  if (sorted.length < 2) return undefined;
  const isLeast = study.directions[k] === "minimize";
  const points = sorted.map((value, i) => ({ value, share: (isLeast ? i + 1 : sorted.length - i) / sorted.length }));
  const drawing = canvas.draw(
    {
      ...size,
      x: { label: study.labels[k]!, labelArrow: "none", ...scaleOf(sorted) },
      y: { label: null, domain: [0, 1], tickFormat: (share: number) => `${Math.round(100 * share)} %` },
      marks: [grid(canvas), canvas.Plot.lineY(shown(points), { x: "value", y: "share", curve: isLeast ? "step-after" : "step-before", stroke: "var(--c1)", strokeWidth: 2 })],
    },
    `share of trials with ${study.labels[k]} up to a value`,
  ); // prettier-ignore
  const note = `share of trials at or ${isLeast ? "below" : "above"} a value (empirical distribution)`;
  return { title: `${study.labels[k]!}: distribution`, note, drawing };
}

/** What the front of the first so many trials dominates. */
export function volumeChart(
  canvas: Canvas,
  volumes: readonly { readonly number: number; readonly volume: number }[],
  reference: readonly number[],
): StudyChart {
  // prettier-ignore
  const drawing = canvas.draw(
    {
      ...size,
      x: { label: "trial", labelArrow: "none" },
      y: { label: null, nice: true, zero: true, tickFormat: short },
      marks: [grid(canvas), canvas.Plot.lineY(volumes, { x: "number", y: "volume", curve: "step-after", stroke: "var(--c0)", strokeWidth: 2 })],
    },
    "hypervolume by trial",
  ); // prettier-ignore
  const note = `${number(volumes.at(-1)!.volume)} in the end, beside the reference ${reference.map(number).join(", ")}`;
  return { title: "Hypervolume", note, drawing };
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
      marginTop: 28,
      y: { label: "trial", labelArrow: "none", reverse: true },
      marks: [
        canvas.Plot.ruleY(timed, { y: "number", x1: ({ started }: FinishedTrial) => (started!.getTime() - first) / 1000, x2: ({ ended }: FinishedTrial) => (ended!.getTime() - first) / 1000, stroke: ({ state }: FinishedTrial) => colors[state] ?? "var(--c5)", strokeWidth: Math.max(1, Math.min(5, 200 / timed.length)), title: titleOf }),
      ],
    },
    "when each trial ran",
  ); // prettier-ignore
  return { title: "Timeline", note: "green complete, grey pruned, orange failed", drawing };
}
