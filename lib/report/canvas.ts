// Where charts are drawn: Observable Plot on linkedom's document gives SVG as text, without a browser. Colours are CSS
// variables of the page (style.ts), so that one drawing serves light and dark. Both libraries load with the first report.

import type { PlotOptions } from "@observablehq/plot";
import { Html } from "./html.js";
import { optional } from "../guidance/optional.js";

/** Plot, and a way to turn its options into SVG. */
export interface Canvas {
  readonly Plot: typeof import("@observablehq/plot");
  /** `label` is what a screen reader says. */
  draw(options: PlotOptions, label: string): Html;
}

export async function openCanvas(): Promise<Canvas> {
  const [Plot, { parseHTML }] = await optional("report", "a page with charts", ["@observablehq/plot", "linkedom"], () =>
    Promise.all([import("@observablehq/plot"), import("linkedom")]),
  );
  const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as { document: object };
  const style = { fontFamily: "inherit", fontSize: "12px", background: "none", overflow: "visible" };
  return {
    Plot,
    draw(options, label) {
      // linkedom's document has what Plot uses of the DOM's; the compiler does not know the DOM here.
      const drawing: unknown = Plot.plot({ ...options, document, style, ariaLabel: label });
      const svg = drawing as { outerHTML: string; setAttribute(name: string, value: string): void };
      svg.setAttribute("role", "img");
      return new Html(svg.outerHTML);
    },
  };
}
