// How training went: loss, the metrics measured at epochs, and the learning rate, all models in one chart each.

import { number } from "../train/run/format.js";
import type { Canvas } from "./canvas.js";
import { curves, type CurveAxis, type Dot, type Series } from "./curves.js";
import { percent } from "./number-text.js";
import { html, type Html } from "./html.js";
import { swatch, type ColoredModel } from "./summary-section.js";

export function trainingSection(canvas: Canvas, models: readonly ColoredModel[]): Html | false {
  const trained = models.filter(
    ({ model: { history } }) => history && history.steps.length + (history.epochs?.length ?? 0) > 0,
  );
  if (trained.length === 0) return false;
  const charts = [
    lossChart(trained),
    ...figureNames(trained).map((name) => figureChart(trained, name)),
    rateChart(trained),
  ];
  const shown = charts.filter(({ series }) => series.some(({ line = [], dots = [] }) => line.length + dots.length > 0));
  return html`<section id="training" aria-labelledby="training-title">
    <h2 id="training-title">Training</h2>
    <p class="legend">${trained.map(({ model, color }) => html`<span>${swatch(color)}<b>${model.name}</b></span>`)}</p>
    <div class="charts">
      ${shown.map(
        ({ axis, hint, series }) =>
          html`<figure class="card">
            <h3>${axis.label}<small>${hint}</small></h3>
            ${curves(canvas, series, axis)}
          </figure>`,
      )}
    </div>
  </section>`;
}

interface Chart {
  readonly axis: CurveAxis;
  readonly hint: string;
  readonly series: readonly Series[];
}

function lossChart(models: readonly ColoredModel[]): Chart {
  const series = each(models, (model) => ({ line: steps(model, "loss"), dots: figure(model, "val.loss") }));
  const measured = series.some(({ dots = [] }) => dots.length > 0);
  const hint = measured ? "line: training; dots: validation" : "in training";
  return { axis: { label: "Loss", format: number, tick: shortNumber, log: true }, hint, series };
}

function figureChart(models: readonly ColoredModel[], name: string): Chart {
  const series = each(models, (model) => ({ dots: figure(model, name) }));
  const share = series.every(({ dots = [] }) => dots.every(({ value }) => value >= 0 && value <= 1));
  const words = name.replace(/^val\./, "");
  return {
    axis: {
      label: words.charAt(0).toUpperCase() + words.slice(1),
      format: share ? percent : number,
      tick: share ? (value) => `${shortNumber(100 * value)} %` : shortNumber,
    },
    hint: name.startsWith("val.") ? "on validation data" : "at each epoch",
    series,
  };
}

/** Models that share a schedule would hide each other; they have one line together. */
function rateChart(models: readonly ColoredModel[]): Chart {
  const axis = { label: "Learning rate", format: number, tick: shortNumber };
  const series = each(models, (model) => ({ line: steps(model, "lr") }));
  const [first, ...others] = series.map(({ line }) => JSON.stringify(line));
  if (others.length === 0 || others.some((line) => line !== first)) return { axis, hint: "", series };
  return { axis, hint: "the same for all models", series: [{ ...series[0]!, color: "var(--soft)" }] };
}

type Model = ColoredModel["model"];

function each(models: readonly ColoredModel[], read: (model: Model) => Pick<Series, "line" | "dots">): Series[] {
  return models.map(({ model, color }) => ({ name: model.name, color, ...read(model) }));
}

function steps({ history }: Model, key: "loss" | "lr"): Dot[] {
  return (history?.steps ?? []).flatMap(({ step, [key]: value }) => (value === undefined ? [] : [{ step, value }]));
}

function figure({ history }: Model, name: string): Dot[] {
  return (history?.epochs ?? []).flatMap(({ step, metrics: { [name]: value } }) =>
    value === undefined ? [] : [{ step, value }],
  );
}

/** What was measured at epochs beside the losses, which have a chart of their own. */
function figureNames(models: readonly ColoredModel[]): string[] {
  const names = models
    .flatMap(({ model }) => model.history?.epochs ?? [])
    .flatMap(({ metrics }) => Object.keys(metrics));
  return [...new Set(names)].filter((name) => !["loss", "val.loss", "lr", "seconds"].includes(name));
}

/** Without the zeros at the end that align metrics in text. */
function shortNumber(value: number): string {
  return number(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
