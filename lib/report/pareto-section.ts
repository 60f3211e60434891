// What accuracy costs: every model's accuracy against its size and against its latency, and the line of those that no other
// model beats in both.
import type { Channels, InitializerFunction, ScaleFunctions } from "@observablehq/plot";
import type { Canvas } from "./canvas.js";
import { bytes, micros, percent } from "./number-text.js";
import { html, type Html } from "./html.js";
import { placeLabels, type Label } from "./labels.js";
import type { ColoredModel } from "./summary-section.js";
import { costTicks } from "./ticks.js";

/** A model in a chart of cost and gain. */
export interface CostPoint {
  readonly name: string;
  readonly color: string;
  /** Less is better. */
  readonly cost: number;
  /** More is better. */
  readonly gain: number;
}

const FEWEST = 3;
const WIDTH = 440; // drawn narrow, so that letters stay readable where a page is: an SVG's text shrinks with it

export function paretoSection(canvas: Canvas, models: readonly ColoredModel[]): Html | false {
  const points = (costOf: (summary: ColoredModel["model"]["summary"]) => number | undefined): CostPoint[] =>
    models.flatMap(({ model: { name, summary }, color }) => {
      const cost = costOf(summary);
      return cost === undefined || summary.accuracy === undefined
        ? []
        : [{ name, color, cost, gain: summary.accuracy }];
    });
  const charts = [
    { title: "Accuracy and size", axis: "on disk", format: bytes, points: points((s) => s.bytes) },
    {
      title: "Accuracy and latency",
      axis: "median at batch 1",
      format: micros,
      points: points((s) => s.latencyMicros?.median),
    },
  ].filter(({ points }) => points.length >= FEWEST);
  if (charts.length === 0) return false;
  return html`<section id="costs" aria-labelledby="costs-title">
    <h2 id="costs-title">What accuracy costs<small>the line joins the models that none beats in both</small></h2>
    <div class="grid">
      ${charts.map(
        ({ title, ...chart }) =>
          html`<figure class="card">
            <h3>${title}</h3>
            ${paretoChart(canvas, { title, ...chart })}
          </figure>`,
      )}
    </div>
  </section>`;
}

/** The points that no other is at least as good as in both respects and better in one, by rising cost. */
export function frontier(points: readonly CostPoint[]): CostPoint[] {
  const beats = (a: CostPoint, b: CostPoint) =>
    a.cost <= b.cost && a.gain >= b.gain && (a.cost < b.cost || a.gain > b.gain);
  return points.filter((point) => !points.some((other) => beats(other, point))).toSorted((a, b) => a.cost - b.cost);
}

interface Chart {
  readonly title: string;
  readonly axis: string;
  readonly format: (cost: number) => string;
  readonly points: readonly CostPoint[];
}

function paretoChart(canvas: Canvas, { title, axis, format, points }: Chart): Html {
  const label = (point: CostPoint) => `${point.name}: ${percent(point.gain)}, ${format(point.cost)}`;
  const { Plot } = canvas;
  const ticks = costTicks(points.map(({ cost }) => cost));
  // Both marks lay the labels out in pixels, once the scales are known, and find the same places.
  const placed =
    (channels: (labels: readonly Label[]) => Channels): InitializerFunction =>
    (data: CostPoint[], facets, _, scales, { width, height, marginLeft, marginBottom }) => {
      const named = data.map(({ name, cost, gain }) => ({
        x: at(scales, "x", cost),
        y: at(scales, "y", gain),
        text: name,
      }));
      const frame = { left: marginLeft, right: width, top: 0, bottom: height - marginBottom };
      return { data, facets, channels: channels(placeLabels(named, frame)) };
    };
  return canvas.draw(
    {
      width: WIDTH,
      height: 290,
      marginLeft: 52,
      marginRight: 44,
      marginTop: 16,
      marginBottom: 40,
      x: { type: "log", label: axis, labelArrow: "none", tickFormat: format, ticks, tickSize: 0, inset: 24 },
      y: {
        label: null,
        tickFormat: (gain: number) => `${(100 * gain).toFixed(1)} %`,
        ticks: 5,
        tickSize: 0,
        inset: 24,
        nice: true,
      },
      marks: [
        Plot.gridY({ ticks: 5, stroke: "var(--line)", strokeOpacity: 1 }),
        Plot.line(frontier(points), { x: "cost", y: "gain", stroke: "var(--soft)", strokeDasharray: "2 4" }),
        Plot.link(
          points,
          Plot.initializer(
            { x1: "cost", y1: "gain", x2: "cost", y2: "gain", stroke: "color" },
            placed((labels) => ({
              x2: { value: labels.map(({ endX }) => endX) },
              y2: { value: labels.map(({ endY }) => endY) },
            })),
          ),
        ),
        Plot.dot(points, { x: "cost", y: "gain", r: 5, fill: "color", title: label }),
        Plot.text(
          points,
          Plot.initializer(
            { x: "cost", y: "gain", text: "name", fill: "var(--ink)", stroke: "var(--card)", strokeWidth: 4 },
            placed((labels) => ({ x: { value: labels.map(({ x }) => x) }, y: { value: labels.map(({ y }) => y) } })),
          ),
        ),
      ],
    },
    title,
  );
}

const at = (scales: ScaleFunctions, axis: "x" | "y", value: number) => scales[axis]!(value) as number;
