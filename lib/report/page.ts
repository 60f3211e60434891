// A report as one HTML page that needs nothing else: style, charts and images are in it.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError } from "../errors.js";
import { openCanvas } from "./canvas.js";
import { imageEncoder } from "./digit.js";
import { Html, html } from "./html.js";
import { modelSection } from "./model-section.js";
import { paretoSection } from "./pareto-section.js";
import type { RunReport } from "./run-report.js";
import { modelColors, style } from "./style.js";
import { footer, header, summarySection } from "./summary-section.js";
import { trainingSection } from "./training-section.js";

/**
 * A report as an HTML page, complete in itself: no script, and nothing loaded from elsewhere.
 *
 * @example
 * const page = await report.render({ title: "Digits", models: [{ name: "mlp", summary: { accuracy: 0.984 } }] });
 */
export async function render(report: RunReport): Promise<string> {
  const [canvas, encode] = await Promise.all([openCanvas(), imageEncoder()]);
  const models = report.models.map((model, i) => ({ model, color: modelColors[i % modelColors.length]! }));
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${report.title}</title>
        <style>
          ${new Html(style)}
        </style>
      </head>
      <body>
        <main>
          ${header(report)} ${summarySection(report, models)} ${paretoSection(canvas, models)}
          ${trainingSection(canvas, models)}
          ${models.map(({ model, color }) => modelSection({ canvas, encode, color }, model))} ${footer(report)}
        </main>
      </body>
    </html> `;
  return `${page.text.trimEnd()}\n`;
}

/**
 * Writes the page of {@link render} to a file, with the folders that it needs.
 *
 * @throws FileError if it cannot be written.
 * @example
 * await report.write("out/report.html", { title: "Digits", models: [{ name: "mlp", summary: { accuracy: 0.984 } }] });
 */
export async function write(path: string, report: RunReport): Promise<void> {
  const page = await render(report);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, page);
  } catch (cause) {
    throw new FileError(`report.write: cannot write "${path}": ${(cause as Error).message}`, { cause });
  }
}
