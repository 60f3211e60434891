// A layer's weights as a small histogram, on an axis that has zero in the middle.

import type { Canvas } from "./canvas.js";
import { whole } from "./number-text.js";
import type { Html } from "./html.js";
import type { Histogram } from "./run-report.js";

/** Bars for the weights as they are; an outline for what they were `before`, each scaled to its own highest bin. */
export function weightChart(canvas: Canvas, histogram: Histogram, color: string, before?: Histogram): Html {
  const { Plot } = canvas;
  const shown = before ? [histogram, before] : [histogram];
  const reach = Math.max(...shown.flatMap(({ from, to }) => [Math.abs(from), Math.abs(to)])) || 1;
  const bars = {
    x1: "x1",
    x2: "x2",
    y: "share",
    fill: color,
    fillOpacity: 0.85,
    insetLeft: 0.4,
    insetRight: 0.4,
    title: "title",
  };
  const outline = { x: "x1", y: "share", stroke: "var(--soft)", strokeWidth: 1, curve: "step-after" } as const;
  return canvas.draw(
    {
      width: 240,
      height: 96,
      marginLeft: 4,
      marginRight: 4,
      marginTop: 4,
      marginBottom: 20,
      x: { domain: [-reach, reach], ticks: 3, label: null, tickSize: 0 },
      y: { axis: null },
      marks: [
        Plot.ruleX([0], { stroke: "var(--line)" }),
        Plot.rectY(binsOf(histogram), bars),
        before ? Plot.line(binsOf(before), outline) : null,
        Plot.ruleY([0], { stroke: "var(--soft)", strokeOpacity: 0.5 }),
      ],
    },
    before ? "Distribution of weights, and what it was before" : "Distribution of weights",
  );
}

function binsOf({ from, to, counts }: Histogram) {
  const width = (to - from) / counts.length;
  const most = Math.max(1, ...counts);
  return counts.map((count, i) => {
    const [x1, x2] = [from + i * width, from + (i + 1) * width];
    return { x1, x2, share: count / most, title: `${whole(count)} from ${short(x1)} to ${short(x2)}` };
  });
}

/** Two digits, with a true minus sign. */
export function short(value: number): string {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}
