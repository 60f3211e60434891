// A layer's weights as a small histogram, on an axis that has zero in the middle.

import type { Canvas } from "./canvas.js";
import type { Html } from "./html.js";
import type { Histogram } from "./run-report.js";

export function weightChart(canvas: Canvas, { from, to, counts }: Histogram, color: string): Html {
  const { Plot } = canvas;
  const width = (to - from) / counts.length;
  const bins = counts.map((count, i) => ({ x1: from + i * width, x2: from + (i + 1) * width, count }));
  const reach = Math.max(Math.abs(from), Math.abs(to)) || 1;
  const bars = { x1: "x1", x2: "x2", y: "count", fill: color, fillOpacity: 0.85, insetLeft: 0.4, insetRight: 0.4 };
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
        Plot.rectY(bins, bars),
        Plot.ruleY([0], { stroke: "var(--soft)", strokeOpacity: 0.5 }),
      ],
    },
    "Distribution of weights",
  );
}
