// A search as one HTML page: its best trials, and the charts of all.
import { requireFields, requirePath } from "../guidance/arguments.js";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { checkOptions } from "../errors.js";
import { duration, number } from "../train/run/format.js";
import { hypervolume, importance, type Importance } from "../tune/analysis/index.js";
import { flatten } from "../tune/study/table.js";
import type { FinishedTrial } from "../tune/study/finished.js";
import type { Study } from "../tune/study/study.js";
import { openCanvas, type Canvas } from "./canvas.js";
import { html, Html } from "./html.js";
import { curvesChart, edfChart, frontCharts, historyChart, timelineChart, volumeChart, type StudyChart } from "./study-charts.js"; // prettier-ignore
import { contourCharts, importanceChart, parallelChart, sliceCharts } from "./study-space-charts.js";
import { style } from "./style.js";

/** Options of {@link renderStudy}. */
export interface StudyPageOptions {
  /** Default the name of the study. */
  readonly title?: string;
  /** Which kind of importance of parameters is shown, for each value. Default "fanova". */
  readonly importance?: "fanova" | "permutation" | false;
  /** Beside several values: what the hypervolume of the front is measured from. Default the worst of each among the trials. */
  readonly reference?: readonly number[];
}

/**
 * A study as an HTML page, complete in itself: history, distribution, importance, reported values, the front in every pair of values and its
 * hypervolume, the timeline, parallel coordinates, slices, contours, and a table of the best trials.
 *
 * @throws UnsupportedError without the libraries that charts need; ArgumentError for unknown options or a reference that does not fit.
 * @example
 * const study = await tune({ x: tune.uniform(-1, 1), y: tune.int(1, 4) }, (_, { params }) => params.x ** 2 + params.y, { trials: 10 });
 * const page = await report.renderStudy(study as unknown as Study);
 */
export async function renderStudy(study: Study, options: StudyPageOptions = {}): Promise<string> {
  checkOptions("report.renderStudy", options, ["title", "importance", "reference"]);
  requireFields("report.renderStudy", study, ["directions", "trials"], "a study, as tune or tune.load gives it");
  const canvas = await openCanvas();
  const { title = study.name } = options;
  const shares = await sharesOf(study, options.importance ?? "fanova");
  const charts = [
    ...frontCharts(canvas, study),
    await volumesChart(canvas, study, options.reference),
    ...study.directions.map((_, k) => historyChart(canvas, study, k)),
    ...study.directions.map((_, k) => edfChart(canvas, study, k)),
    ...shares.map((list, k) => importanceChart(canvas, list, study.labels[k]!)),
    curvesChart(canvas, study),
    timelineChart(canvas, study),
  ];
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${new Html(style)}
          ${new Html(".wide { margin-top: 18px } .scroll { overflow-x: auto } figure svg { max-width: 100%; height: auto } .wide svg { min-width: 1080px; max-width: none } .wide figure { overflow-x: auto } .pairs { margin: 30px 0 12px; font-size: 1.05rem } section + details.model { margin-top: 56px }")}
        </style>
      </head>
      <body>
        <main id="content">
          ${heading(study, title)}
          <section aria-labelledby="trials">
            <h2 id="trials">Trials</h2>
            <div class="grid">${charts.map((chart) => chart && figure(chart))}</div>
            ${wide(parallelChart(canvas, study))}
          </section>
          ${study.directions.map((_, k) => overSpace(canvas, study, k, shares[k] ?? []))} ${bestTable(study)}
        </main>
      </body>
    </html> `;
  return `${page.text.trimEnd()}\n`;
}

/** Writes {@link renderStudy} to a file; folders that are missing are made. */
export async function writeStudy(path: string, study: Study, options: StudyPageOptions = {}): Promise<void> {
  requirePath("report.writeStudy", path, "out/study.html");
  const page = await renderStudy(study, options);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, page);
}

// Of several values the first is open.
function overSpace(canvas: Canvas, study: Study, k: number, shares: readonly Importance[]): Html {
  const contours = contourCharts(canvas, study, k, shares);
  const charts = html`<div class="grid">${sliceCharts(canvas, study, k).map(figure)}</div>
    ${contours.length > 0 && html`<h3 class="pairs">Two parameters at a time</h3>`}
    <div class="grid">${contours.map(figure)}</div>`;
  const title =
    study.directions.length === 1 ? "Parameter by parameter" : `Parameter by parameter: ${study.labels[k]!}`;
  if (k === 0) return html`<section><h2>${title}</h2>${charts}</section>`; // prettier-ignore
  return html`<details class="model">
    <summary><h2>${title}</h2></summary>
    ${charts}
  </details>`;
}

const enough = 4;

async function sharesOf(study: Study, method: "fanova" | "permutation" | false): Promise<Importance[][]> {
  if (method === false || study.space.parameters.length === 0) return [];
  if (study.records.filter(({ state }) => state === "complete").length < enough) return [];
  return Promise.all(study.directions.map((_, objective) => importance(study, { method, objective })));
}

const pointsOfVolumes = 60;

async function volumesChart(canvas: Canvas, study: Study, given: readonly number[] | undefined) {
  const { directions, feasible, records } = study;
  if (directions.length < 2 || (feasible.length === 0 && given === undefined)) return undefined;
  const worst = (k: number) => feasible.map(({ values }) => values[k]!).reduce((a, b) => (directions[k] === "minimize" ? Math.max(a, b) : Math.min(a, b))); // prettier-ignore
  const reference = given ?? directions.map((_, k) => worst(k));
  const count = Math.min(pointsOfVolumes, records.length);
  const ends = Array.from({ length: count }, (_, i) => Math.ceil(((i + 1) * records.length) / count));
  const volumes = await Promise.all(ends.map(async (end) => ({ number: records[end - 1]!.number, volume: await hypervolume({ directions, records: records.slice(0, end) }, reference) }))); // prettier-ignore
  return volumes.length === 0 ? undefined : volumeChart(canvas, volumes, reference);
}

const figure = ({ title, note, drawing }: StudyChart): Html =>
  html`<figure class="card">
    <h3>${title}${note !== undefined && html`<small>${note}</small>`}</h3>
    ${drawing}
  </figure>`;

const wide = (chart: StudyChart | undefined): Html | undefined => chart && html`<div class="wide">${figure(chart)}</div>`; // prettier-ignore

function heading(study: Study, title: string): Html {
  const { trials, best, directions, labels, spec } = study;
  const counts = new Map<string, number>();
  for (const { state } of trials) counts.set(state, (counts.get(state) ?? 0) + 1);
  const times = trials.flatMap(({ started, ended }) => [started?.getTime() ?? NaN, ended?.getTime() ?? NaN]).filter(Number.isFinite); // prettier-ignore
  const took =
    times.length === 0 ? 0 : (times.reduce((a, b) => Math.max(a, b)) - times.reduce((a, b) => Math.min(a, b))) / 1000;
  const lead =
    best === undefined
      ? "No trial is complete yet."
      : directions.length > 1
        ? `${study.front.length} trials on the front of ${labels.join(" and ")}.`
        : `Best ${labels[0]}: ${number(best.value)}, trial ${best.number}.`;
  return html`<header>
    <h1>${title}</h1>
    <p class="lead">${lead}</p>
    <ul class="meta">
      <li>${trials.length} trials: ${[...counts].map(([state, count]) => `${count} ${state}`).join(", ")}</li>
      <li>sampler ${spec.sampler.name}, pruner ${spec.pruner.name}, seed ${spec.seed}, ${spec.mode}</li>
      <li>${duration(took)}</li>
    </ul>
  </header>`;
}

function bestTable(study: Study): Html {
  const sign = study.directions[0] === "minimize" ? 1 : -1;
  const list = study.directions.length > 1 ? study.front : [...study.feasible].sort((a, b) => sign * (a.values[0]! - b.values[0]!)); // prettier-ignore
  const rows = list.slice(0, 20);
  const names = [...new Set(rows.flatMap(({ params }) => Object.keys(flatten(params))))];
  const show = (value: unknown): string => (value === undefined ? "" : typeof value === "number" ? number(value) : typeof value === "string" ? value : JSON.stringify(value)); // prettier-ignore
  const row = (trial: FinishedTrial): Html => {
    const params = flatten(trial.params);
    return html`<tr>
      <td>${trial.number}</td>
      ${trial.values.map((value) => html`<td>${number(value)}</td>`)}
      ${names.map((name) => html`<td>${show(params[name])}</td>`)}
    </tr>`;
  };
  return html`<section aria-labelledby="best">
    <h2 id="best">Best trials</h2>
    <div class="card scroll">
      <table>
        <thead>
          <tr>
            <th>trial</th>
            ${[...study.labels, ...names].map((name) => html`<th>${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(row)}
        </tbody>
      </table>
    </div>
  </section>`;
}
