// Views over the space: each parameter alone, in pairs, and how much each matters.
import type uPlot from "uplot";
import type { Importance } from "../../tune/analysis/importance.js";
import { axis, Chart, dots, sizeFor } from "./chart.js";
import { card, h, select } from "./dom.js";
import { isLog, textOf, toUnit, type Store } from "./store.js";
import { mixed, short } from "./theme.js";
import type { Context, View } from "./view.js";

type Parameter = Store["varied"][number];

const longest = 14;
const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text);

// Where a value stands on its axis: choices at 0, 1, 2, …; a logarithmic range by its logarithm, whose ticks are ours (uPlot's own
// search for them takes minutes on ranges such as 1e-5 to 1e-1).
const placeOf = ({ distribution: d }: Parameter, value: number): number => (isLog(d) ? Math.log10(value) : value);

function scaleOf(parameter: Parameter): uPlot.Scale {
  const { distribution: d } = parameter;
  if (d.kind === "choice") return { time: false, range: [-0.6, d.choices.length - 0.4] };
  const [low, high] = [placeOf(parameter, d.low), placeOf(parameter, d.high)];
  const pad = (high - low) / 50;
  return { time: false, range: [low - pad, high + pad] };
}

function axisOf({ distribution: d, name }: Parameter, isNamed: boolean): uPlot.Axis {
  const label = isNamed ? { label: name } : {};
  if (d.kind === "choice") return axis({ ...label, splits: () => d.choices.map((_, i) => i), values: (_, at) => at.map((i) => cut(textOf(d, i))) }); // prettier-ignore
  if (isLog(d)) return axis({ ...label, splits: (_, __, low, high) => logTicks(low, high), values: (_, at) => at.map((exponent) => short(Number((10 ** exponent).toPrecision(3)))) }); // prettier-ignore
  return axis(label);
}

// Round numbers between two logarithms: powers of ten where there are some, else their multiples by 2 and 5 too.
function logTicks(low: number, high: number): number[] {
  const multiples = high - low > 2.5 ? [1] : high - low > 1 ? [1, 3] : [1, 2, 5];
  const every = Math.max(1, Math.ceil((high - low) / 7));
  const decades = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
  return decades
    .filter((decade) => decade % every === 0)
    .flatMap((decade) => multiples.map((multiple) => decade + Math.log10(multiple)))
    .filter((at) => at >= low && at <= high);
}

// Trials with one choice stand beside each other, not in a line: by their number, so that they stay where they are.
const jitter = (parameter: Parameter, value: number, number: number): number => parameter.distribution.kind === "choice" ? value + 0.5 * (((number * 0.618034) % 1) - 0.5) : placeOf(parameter, value); // prettier-ignore

/** A value over each parameter. */
export function slices({ store, objective, say, open }: Context): View {
  const charts = store.varied.slice(0, 24).map((parameter) => ({ parameter, chart: new Chart(parameter.name, store.head.labels[objective]) })); // prettier-ignore
  const draw = (): void => {
    for (const { parameter, chart } of charts) {
      const points = store.feasible.flatMap(({ number, params, values }) => {
        const value = params[parameter.at] ?? null;
        return value === null ? [] : [{ x: jitter(parameter, value, number), y: values[objective]!, number }];
      });
      points.sort((a, b) => a.x - b.x);
      chart.show({ data: [points.map(({ x }) => x), points.map(({ y }) => y)], series: [dots("--c1", sizeFor(points.length))], scales: { x: scaleOf(parameter) }, axes: [axisOf(parameter, false), axis()], numbers: points.map(({ number }) => number), say, open, height: 220 }); // prettier-ignore
    }
  };
  return { element: h("div", { class: "grid" }, charts.map(({ chart }) => chart.element)), draw, close: () => charts.forEach(({ chart }) => chart.close()) }; // prettier-ignore
}

const [columns, rows, mostPoints, mostDots] = [64, 48, 1200, 400];

/** A value over two parameters, by rank: strong is good. */
export function contour(context: Context): View {
  const { store, objective, say, open } = context;
  const chart = new Chart(`${store.head.labels[objective]!} over two parameters`, "by rank, smoothed: strong is good"); // prettier-ignore
  const names = store.varied.map(({ name }) => name);
  let [a, b] = [0, Math.min(1, names.length - 1)];
  const picks = h("div", { class: "picks" });
  let map: HTMLCanvasElement | undefined;
  const draw = (): void => {
    const [x, y] = [store.varied[a], store.varied[b]];
    if (x === undefined || y === undefined) return;
    const points = store.ranked(objective).flatMap(({ trial: { number, params }, share }) => {
      const [u, v] = [params[x.at] ?? null, params[y.at] ?? null];
      return u === null || v === null ? [] : [{ x: jitter(x, u, number), y: jitter(y, v, number), u: toUnit(x.distribution, u), v: toUnit(y.distribution, v), share, number }]; // prettier-ignore
    });
    points.sort((one, other) => one.x - other.x);
    map = heat(points);
    const paint = (plot: uPlot): void => {
      const { ctx, bbox } = plot;
      const ends = ({ distribution: d }: Parameter, scale: "x" | "y") => d.kind === "choice" ? [-0.5, d.choices.length - 0.5].map((end) => plot.valToPos(end, scale, true)) : [d.low, d.high].map((end) => plot.valToPos(isLog(d) ? Math.log10(end) : end, scale, true)); // prettier-ignore
      const [left, right] = ends(x, "x") as [number, number];
      const [bottom, top] = ends(y, "y") as [number, number];
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.imageSmoothingEnabled = true;
      ctx.imageSmoothingQuality = "high";
      if (map !== undefined) ctx.drawImage(map, left, top, right - left, bottom - top);
      ctx.restore();
    };
    const every = Math.ceil(points.length / mostDots);
    chart.show({ data: [points.map((point) => point.x), points.map((point, i) => (i % every === 0 ? point.y : null))], series: [{ ...dots("--ink", 3), alpha: 0.7 }], scales: { x: scaleOf(x), y: scaleOf(y) }, axes: [{ ...axisOf(x, true), grid: { show: false } }, { ...axisOf(y, true), grid: { show: false } }], hooks: { drawClear: [paint] }, numbers: points.map(({ number }) => number), say, open, height: 460, key: `${a} ${b} ${store.version}` }); // prettier-ignore
  };
  const choose = (across: number, up: number): void => {
    [a, b] = [across, up];
    draw();
  };
  const pick = (): void => picks.replaceChildren(
    select("across", names, a, (i) => choose(i, b)),
    select("up", names, b, (i) => choose(a, i)),
  ); // prettier-ignore
  pick();
  chart.element.querySelector("h3")!.after(picks);
  return { element: chart.element, draw, close: () => chart.close() };
}

// A kernel's mean on a grid over the unit square, each cell of it a pixel; far from all trials the nearest ones count.
function heat(
  points: readonly { readonly u: number; readonly v: number; readonly share: number }[],
): HTMLCanvasElement | undefined {
  // prettier-ignore
  if (points.length < 4) return undefined;
  const narrow = 2 * Math.max(0.04, 0.35 / Math.sqrt(points.length)) ** 2; // the fewer trials, the farther each is heard
  const every = Math.max(1, points.length / mostPoints);
  const few = points.filter((_, i) => Math.floor(i / every) !== Math.floor((i - 1) / every));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d")!;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [x, y] = [(column + 0.5) / columns, 1 - (row + 0.5) / rows];
      let [sum, total] = [0, 0];
      for (const { u, v, share } of few) {
        const distance = (u - x) ** 2 + (v - y) ** 2;
        const weight = Math.exp(-distance / narrow) + 1e-9 / (distance + 1e-3);
        sum += weight * share;
        total += weight;
      }
      context.fillStyle = mixed("--c0", "--faint", sum / total);
      context.fillRect(column, row, 1, 1);
    }
  }
  return canvas;
}

/** How much each parameter matters. */
export function importances({ store, objective, ask }: Context): View {
  const bars = h("div", { class: "bars" });
  const element = card(`${store.head.labels[objective]!}: importance`, "share of the variance that a parameter explains (fANOVA)", bars); // prettier-ignore
  let [busy, drawn] = [false, -1];
  const show = (shares: readonly Importance[]): void => {
    const most = Math.max(1e-9, ...shares.map(({ share }) => share));
    bars.replaceChildren(
      ...shares.slice(0, 20).flatMap(({ name, share }) => {
        const bar = h("i");
        bar.style.width = `${(100 * share) / most}%`;
        return [h("span", { title: name }, name), h("div", {}, bar), h("b", {}, `${(100 * share).toFixed(1)} %`)];
      }),
    );
  };
  const draw = (): void => {
    if (busy || drawn === store.version) return;
    [busy, drawn] = [true, store.version];
    if (bars.childElementCount === 0) bars.append(h("p", { class: "note" }, "computing …"));
    ask<Importance[]>("importance", { objective: String(objective) })
      .then(show, (thrown: unknown) => bars.replaceChildren(h("p", { class: "note" }, (thrown as Error).message.replace("tune.importance: ", ""))))
      .finally(() => setTimeout(() => {
        busy = false;
        if (drawn !== store.version && element.isConnected) draw();
      }, 10_000)); // prettier-ignore
  };
  return { element, draw, close: () => undefined };
}
