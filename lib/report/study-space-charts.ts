// Charts of a search over its space: where trials lay, and what their values were there.
import { toUnit, type Distribution, type FlatSpace } from "../tune/space/index.js";
import { isFeasible, type FinishedTrial } from "../tune/study/finished.js";
import type { StoredTrial } from "../tune/storage/storage.js";
import type { Importance } from "../tune/analysis/index.js";
import type { Study } from "../tune/study/study.js";
import type { Canvas } from "./canvas.js";
import { grid, nameOf, short, shown, size, titleOf, type StudyChart } from "./study-charts.js";

/** Each trial a line over all parameters, coloured by its rank. */
export function parallelChart(canvas: Canvas, study: Study): StudyChart | undefined {
  const parameters = varied(study.space);
  const done = ranked(study, 0);
  if (parameters.length < 2 || done.length < 2) return undefined;
  const points = done.slice(0, 500).toReversed().flatMap(({ record, share }) => // the best on top
    parameters.flatMap(({ name, distribution }) => {
      const value = record.params[name];
      return value === undefined ? [] : [{ name, at: toUnit(distribution, value), number: record.number, share }];
    }),
  ); // prettier-ignore
  const drawing = canvas.draw(
    {
      width: Math.max(1080, parameters.length * 100),
      height: 320,
      marginLeft: 60,
      marginRight: 60,
      marginTop: 16,
      marginBottom: 72,
      x: { type: "point", domain: parameters.map(({ name }) => name), axis: null },
      y: { domain: [0, 1], axis: null },
      color: { type: "identity" },
      marks: [
        canvas.Plot.ruleX(parameters.map(({ name }) => name), { stroke: "var(--line)" }),
        canvas.Plot.line(points, { x: "name", y: "at", z: "number", stroke: ({ share }: { share: number }) => byRank(share), strokeOpacity: 0.55, strokeWidth: 1.3, title: (point: { number: number }) => `trial ${point.number}` }),
        canvas.Plot.text(parameters, { x: "name", y: 0, dy: 24, lineAnchor: "top", text: ({ name }: { name: string }) => name.split(".").slice(-3).join("\n"), fill: "var(--ink)", fontSize: 11 }),
        ...[0, 1].map((end) => canvas.Plot.text(parameters, { x: "name", y: end, dy: end === 0 ? 10 : -9, text: ({ distribution }: { distribution: Distribution }) => endOf(distribution, end), fill: "var(--soft)", fontSize: 10 })),
      ],
    },
    "parameters of every trial",
  ); // prettier-ignore
  return {
    title: "Parallel coordinates",
    note: `a line a trial, from the best by ${study.labels[0]!} (strong) to the worst (grey)`,
    wide: true,
    drawing,
  };
}

/** One of the values over each parameter. */
export function sliceCharts(canvas: Canvas, study: Study, k: number): StudyChart[] {
  const byNumber = new Map(study.trials.map((trial) => [trial.number, trial]));
  return varied(study.space).slice(0, 12).flatMap(({ name, distribution }) => {
    const points = shown(ranked(study, k)).flatMap(({ record }) => {
      const value = record.params[name];
      const trial = byNumber.get(record.number)!;
      return value === undefined ? [] : [{ x: distribution.kind === "choice" ? nameOf(distribution.choices[value]) : value, y: trial.values[k]!, trial }];
    });
    if (points.length === 0) return [];
    const drawing = canvas.draw(
      {
        ...size,
        height: 220,
        x: distribution.kind === "choice" ? { type: "point", domain: distribution.choices.map(nameOf), label: null, padding: 0.6 } : { type: isLog(distribution) ? "log" : "linear", label: null, tickFormat: short, ticks: 5 },
        y: { label: null, nice: true, tickFormat: short },
        marks: [
          grid(canvas),
          canvas.Plot.dot(points, { x: "x", y: "y", r: 2.6, fill: "var(--c1)", fillOpacity: 0.6, title: ({ trial }: { trial: FinishedTrial }) => titleOf(trial) }),
        ],
      },
      `${study.labels[k]} over ${name}`,
    );
    return [{ title: name, note: study.labels[k]!, drawing }];
  }); // prettier-ignore
}

const pairsShown = 6;
const pointsOfContours = 800;

/** One of the values over pairs of numeric parameters, those that matter most first. */
export function contourCharts(canvas: Canvas, study: Study, k: number, order: readonly Importance[]): StudyChart[] {
  const rank = (name: string) => order.find((entry) => entry.name === name)?.share ?? 0;
  const numeric = varied(study.space)
    .filter(({ distribution, conditions }) => distribution.kind !== "choice" && conditions.length === 0)
    .sort((a, b) => rank(b.name) - rank(a.name));
  const pairs = numeric.flatMap((x, i) => numeric.slice(i + 1).map((y) => [i + numeric.indexOf(y), x, y] as const));
  const done = ranked(study, k);
  if (done.length < 8) return [];
  const few = done.length <= pointsOfContours ? done : Array.from({ length: pointsOfContours }, (_, i) => done[Math.floor((i * done.length) / pointsOfContours)]!); // prettier-ignore
  return pairs.sort(([a], [b]) => a - b).slice(0, pairsShown).flatMap(([, x, y]) => {
    // The share by rank, not the value: one trial that went wrong would else leave one colour for all others.
    const points = few.flatMap(({ record, share }) => record.params[x.name] === undefined || record.params[y.name] === undefined ? [] : [{ x: record.params[x.name], y: record.params[y.name], share }]);
    if (points.length < 8) return [];
    const axis = ({ distribution, name }: (typeof numeric)[number]) => ({ type: isLog(distribution) ? ("log" as const) : ("linear" as const), label: name, labelArrow: "none" as const, tickFormat: short, ticks: 5 });
    const drawing = canvas.draw(
      {
        ...size,
        height: 300,
        marginTop: 28,
        marginBottom: 42,
        x: axis(x),
        y: axis(y),
        color: { type: "linear", domain: [0, 1], interpolate: (t: number) => `color-mix(in oklab, var(--faint) ${Math.round(100 * t)}%, var(--c0))` },
        marks: [
          canvas.Plot.contour(points, { x: "x", y: "y", fill: "share", stroke: "var(--card)", strokeWidth: 0.5, thresholds: 10, interpolate: "barycentric", blur: 8, pixelSize: 3 }),
          canvas.Plot.dot(points, { x: "x", y: "y", r: 1.7, fill: "var(--ink)", fillOpacity: 0.45 }),
        ],
      },
      `${study.labels[k]} over ${x.name} and ${y.name}`,
    );
    return [{ title: `${x.name} and ${y.name}`, note: `${study.labels[k]!} by rank: strong is good`, drawing }];
  }); // prettier-ignore
}

/** The share of each parameter in what the value varies by. */
export function importanceChart(canvas: Canvas, shares: readonly Importance[], label: string): StudyChart {
  const drawing = canvas.draw(
    {
      ...size,
      height: 40 + 26 * shares.length,
      marginLeft: Math.min(220, 24 + 6.5 * shares.reduce((most, { name }) => Math.max(most, name.length), 0)),
      x: { label: null, percent: true, domain: [0, Math.max(10, ...shares.map(({ share }) => 100 * share))], tickFormat: (value: number) => `${value} %`, ticks: 4 },
      y: { label: null, domain: shares.map(({ name }) => name), tickSize: 0 },
      marks: [canvas.Plot.barX(shares, { x: "share", y: "name", fill: "var(--c0)", insetTop: 3, insetBottom: 3, title: ({ share }: Importance) => `${(100 * share).toFixed(1)} %` })],
    },
    `importance of parameters for ${label}`,
  ); // prettier-ignore
  return { title: `${label}: importance`, note: "share of the variance that a parameter explains (fANOVA)", drawing };
}

const byRank = (share: number): string => `color-mix(in oklab, var(--c5) ${Math.round(share * 100)}%, var(--c0))`;

const isLog = (distribution: Distribution): boolean => distribution.kind === "logUniform" || (distribution.kind === "int" && distribution.log); // prettier-ignore

const varied = (space: FlatSpace) =>
  space.parameters.filter(({ distribution }) => distribution.kind === "choice" ? distribution.choices.length > 1 : distribution.low < distribution.high); // prettier-ignore

// Feasible trials from the best to the worst by one value; `share` is the place between both.
function ranked(study: Study, k: number): { readonly record: StoredTrial; readonly share: number }[] {
  const sign = study.directions[k] === "minimize" ? 1 : -1;
  const done = study.records.filter(({ state, values = [], constraints = [] }) =>
    isFeasible({ state, values, constraints }),
  );
  const sorted = [...done].sort((a, b) => sign * (a.values![k]! - b.values![k]!));
  return sorted.map((record, i) => ({ record, share: sorted.length === 1 ? 0 : i / (sorted.length - 1) }));
}

function endOf(distribution: Distribution, end: number): string {
  if (distribution.kind !== "choice") return short(end === 0 ? distribution.low : distribution.high);
  return nameOf(end === 0 ? distribution.choices[0] : distribution.choices.at(-1));
}
