// A search as one HTML page: its best trials, and the charts of all.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { duration, number } from "../train/run/format.js";
import type { Importance } from "../tune/analysis/index.js";
import { flatten } from "../tune/study/table.js";
import type { FinishedTrial } from "../tune/study/finished.js";
import type { Study } from "../tune/study/study.js";
import { openCanvas } from "./canvas.js";
import { html, Html } from "./html.js";
import { curvesChart, frontChart, historyChart, importanceChart, parallelChart, sliceCharts, timelineChart, type StudyChart } from "./study-charts.js"; // prettier-ignore
import { style } from "./style.js";

/** Options of {@link renderStudy}. */
export interface StudyPageOptions {
  /** Default the name of the study. */
  readonly title?: string;
  /** Of parameters, such as `await tune.importance(study)`. Default not shown. */
  readonly importance?: readonly Importance[];
}

/**
 * A study as an HTML page, complete in itself: history, reported values, parallel coordinates, slices, importance, front, timeline
 * and a table of the best trials.
 *
 * @throws UnsupportedError without the libraries that charts need.
 * @example
 * const study = await tune({ x: tune.uniform(-1, 1), y: tune.int(1, 4) }, (_, { params }) => params.x ** 2 + params.y, { trials: 10 });
 * const page = await report.renderStudy(study as unknown as Study);
 */
export async function renderStudy(study: Study, options: StudyPageOptions = {}): Promise<string> {
  const canvas = await openCanvas();
  const { title = study.name, importance = [] } = options;
  const charts = [
    ...study.directions.map((_, k) => historyChart(canvas, study, k)),
    frontChart(canvas, study),
    curvesChart(canvas, study),
    importance.length > 0 ? importanceChart(canvas, importance) : undefined,
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
          ${new Html(".wide { overflow-x: auto; margin-top: 18px } .scroll { overflow-x: auto } figure svg { max-width: 100%; height: auto }")}
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
          <section aria-labelledby="slices">
            <h2 id="slices">Parameter by parameter</h2>
            <div class="grid">${sliceCharts(canvas, study).map(figure)}</div>
          </section>
          ${bestTable(study)}
        </main>
      </body>
    </html> `;
  return `${page.text.trimEnd()}\n`;
}

/** Writes {@link renderStudy} to a file; folders that are missing are made. */
export async function writeStudy(path: string, study: Study, options: StudyPageOptions = {}): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await renderStudy(study, options));
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
