// The confusion matrix as a heat map, labels down and predictions across. Right answers and mistakes have a colour and a
// scale each: on one scale, 980 right nines would leave 12 nines read as fours invisible.

import type { Canvas } from "./canvas.js";
import type { Html } from "./html.js";
import type { ModelReport } from "./run-report.js";

type Confusion = NonNullable<ModelReport["confusion"]>;

/** A pair of classes and how often it came. */
export interface ConfusionCell {
  readonly label: number;
  readonly predicted: number;
  readonly count: number;
}

export function confusionCells({ classes, counts }: Confusion): ConfusionCell[] {
  return Array.from({ length: classes * classes }, (_, i) => ({
    label: Math.floor(i / classes),
    predicted: i % classes,
    count: counts[i] ?? 0,
  }));
}

/** The name of a class, its number if it has none. */
export function classNamer({ names }: Confusion): (index: number) => string {
  return (index) => names?.[index] ?? String(index);
}

export function heatMap(canvas: Canvas, confusion: Confusion): Html {
  const { Plot } = canvas;
  const cells = confusionCells(confusion);
  const nameOf = classNamer(confusion);
  const isRight = ({ label, predicted }: ConfusionCell) => label === predicted;
  const most = (right: boolean) =>
    cells.reduce((m, cell) => (isRight(cell) === right ? Math.max(m, cell.count) : m), 1);
  const [mostRight, mostWrong] = [most(true), most(false)];
  const strength = (cell: ConfusionCell) =>
    isRight(cell) ? 0.3 + (0.7 * cell.count) / mostRight : Math.sqrt(cell.count / mostWrong);
  const title = (cell: ConfusionCell) => `${cell.count} × ${nameOf(cell.label)} read as ${nameOf(cell.predicted)}`;

  const place = { x: "predicted", y: "label" };
  const squares = (right: boolean, fill: string) => {
    const shown = cells.filter((cell) => isRight(cell) === right && cell.count > 0);
    return Plot.cell(shown, { ...place, inset: 1, rx: 3, fill, fillOpacity: strength, title });
  };
  const counts = (strong: boolean) => {
    const shown = cells.filter((cell) => cell.count > 0 && strength(cell) > 0.55 === strong);
    const fill = strong ? "var(--on-color)" : "var(--ink)";
    return Plot.text(shown, { ...place, text: (cell: ConfusionCell) => String(cell.count), fill });
  };
  const heading = { fill: "var(--soft)", fontSize: 12 };
  const domain = Array.from({ length: confusion.classes }, (_, i) => i);
  const size = Math.max(300, Math.min(520, 60 + 42 * confusion.classes));
  return canvas.draw(
    {
      width: size,
      height: size,
      marginLeft: 44,
      marginTop: 44,
      marginRight: 2,
      marginBottom: 2,
      padding: 0,
      x: { type: "band", label: null, domain },
      y: { type: "band", label: null, domain },
      opacity: { type: "identity" },
      marks: [
        Plot.cell(cells, { ...place, inset: 1, rx: 3, fill: "var(--faint)" }),
        squares(true, "var(--right)"),
        squares(false, "var(--wrong)"),
        counts(true),
        counts(false),
        Plot.axisX({ anchor: "top", label: null, tickSize: 0, tickFormat: nameOf, fontSize: 12 }),
        Plot.axisY({ label: null, tickSize: 0, tickFormat: nameOf, fontSize: 12 }),
        Plot.text(["predicted"], { ...heading, frameAnchor: "top", dy: -40, text: (word: string) => word }),
        Plot.text(["actual"], { ...heading, frameAnchor: "left", dx: -38, rotate: -90, text: (word: string) => word }),
      ],
    },
    "Confusion matrix",
  );
}
