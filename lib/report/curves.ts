// Curves over training steps: a line with its range for what is known at every step, dots for what is measured at epochs.

import type { Canvas } from "./canvas.js";
import { whole } from "./number-text.js";
import type { Html } from "./html.js";
import { thin, type Bucket } from "./series.js";

/** A measured value on a curve. */
export interface Dot {
  readonly step: number;
  readonly value: number;
}

/** One model's part of a chart. */
export interface Series {
  readonly name: string;
  readonly color: string;
  /** A value at every step. */
  readonly line?: readonly Dot[];
  /** Values now and then. */
  readonly dots?: readonly Dot[];
}

/** The upright axis. */
export interface CurveAxis {
  /** What the chart shows, for screen readers. */
  readonly label: string;
  readonly format: (value: number) => string;
  /** Default `format`. */
  readonly tick?: (value: number) => string;
  /** Logarithmic where the values span more than a factor of 30. */
  readonly log?: boolean;
}

const MOST_BUCKETS = 240;

export function curves(canvas: Canvas, series: readonly Series[], axis: CurveAxis): Html {
  const { Plot } = canvas;
  const values = series.flatMap(({ line = [], dots = [] }) => [...line, ...dots]).map(({ value }) => value);
  const decades = axis.log === true ? decadesOf(values) : [];
  const type = decades.length > 0 ? "log" : "linear";
  const ticks = type === "log" ? decades : 5;
  const drawn = series.map(({ line = [], dots = [], ...rest }) => {
    const usable = ({ value }: Dot) => Number.isFinite(value) && (type === "linear" || value > 0);
    return { ...rest, buckets: thin(line.filter(usable), MOST_BUCKETS), dots: dots.filter(usable) };
  });
  const marks = drawn.flatMap((one) => [...lineMarks(canvas, one), ...dotMarks(canvas, one, axis)]);
  const size = { width: 400, height: 250, marginLeft: 46, marginRight: 12, marginTop: 12, marginBottom: 36 };
  return canvas.draw(
    {
      ...size,
      x: { label: "step", labelArrow: "none", labelAnchor: "right", ticks: 4, tickSize: 0, tickFormat: whole },
      y: { type, nice: true },
      marks: [
        Plot.gridY({ ticks, stroke: "var(--line)", strokeOpacity: 1 }),
        Plot.axisY({ ticks, tickSize: 0, tickFormat: axis.tick ?? axis.format, label: null }),
        ...marks,
      ],
    },
    axis.label,
  );
}

function lineMarks(
  { Plot }: Canvas,
  { name, color, buckets }: { name: string; color: string; buckets: readonly Bucket[] },
) {
  const title = () => name;
  const spread = buckets.some(({ low, high }) => low < high);
  return [
    spread ? Plot.areaY(buckets, { x: "step", y1: "low", y2: "high", fill: color, fillOpacity: 0.16, title }) : null,
    Plot.lineY(buckets, { x: "step", y: "mean", stroke: color, strokeWidth: 1.8, title }),
  ];
}

function dotMarks(
  { Plot }: Canvas,
  one: { name: string; color: string; buckets: readonly Bucket[]; dots: readonly Dot[] },
  axis: CurveAxis,
) {
  const { name, color, buckets, dots } = one;
  const title = (dot: Dot) => `${name}, step ${dot.step + 1}: ${axis.format(dot.value)}`;
  // Dashed beside a line of the same colour, solid where the dots are all there is.
  const dash = buckets.length > 0 ? "1 5" : "none";
  return [
    Plot.lineY(dots, {
      x: "step",
      y: "value",
      stroke: color,
      strokeWidth: 1.8,
      strokeDasharray: dash,
      strokeLinecap: "round",
    }),
    Plot.dot(dots, { x: "step", y: "value", r: 3, fill: "var(--card)", stroke: color, strokeWidth: 1.6, title }),
  ];
}

/** The powers of ten around the values if these span more than a factor of 30, else none. */
function decadesOf(values: readonly number[]): number[] {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return [];
  const [least, most] = [positive.reduce((a, b) => Math.min(a, b)), positive.reduce((a, b) => Math.max(a, b))];
  if (most / least <= 30) return [];
  const first = Math.floor(Math.log10(least));
  return Array.from({ length: Math.ceil(Math.log10(most)) - first + 1 }, (_, i) => Number(`1e${first + i}`));
}
