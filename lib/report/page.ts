// A report as one HTML page that needs nothing else: style, charts and images are in it.

import { requireFields, requireListOf } from "../guidance/arguments.js";
import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError } from "../errors.js";
import { openCanvas } from "./canvas.js";
import { imageEncoder } from "./digit.js";
import { Html, html } from "./html.js";
import { hasSection, modelSection } from "./model-section.js";
import { paretoSection } from "./pareto-section.js";
import type { RunReport } from "./run-report.js";
import { modelColors, style } from "./style.js";
import { footer, header, summarySection, swatch, type ColoredModel } from "./summary-section.js";
import { trainingSection } from "./training-section.js";

/**
 * A report as an HTML page, complete in itself: no script, and nothing loaded from elsewhere.
 *
 * @example
 * const page = await report.render({ title: "Digits", models: [{ name: "mlp", summary: { accuracy: 0.984 } }] });
 */
export async function render(report: RunReport): Promise<string> {
  requireFields(
    "report.render",
    report,
    ["title", "models"],
    "a report { title, models }, such as report.fromRun gives",
  );
  requireListOf("report.render", report.models, "models to be a list");
  const [canvas, encode] = await Promise.all([openCanvas(), imageEncoder()]);
  const models = report.models.map((model, i): ColoredModel => ({
    model,
    color: modelColors[i % modelColors.length]!,
    ...(hasSection(model) && { link: `model-${i + 1}` }),
  }));
  const folded = models.filter(({ link }) => link !== undefined).length > 1;
  const parts = [
    { link: "summary", title: "Summary", content: summarySection(report, models) },
    { link: "costs", title: "What accuracy costs", content: paretoSection(canvas, models) },
    { link: "training", title: "Training", content: trainingSection(canvas, models) },
  ].filter(({ content }) => content !== false);
  const sections = models.map(({ model, color, link }) =>
    link === undefined ? false : modelSection({ canvas, encode, color, link, open: !folded }, model),
  );
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
        ${navigation(parts, models)}
        <main id="content">
          ${header(report)} ${parts.map(({ content }) => content as Html)} ${sections} ${footer(report)}
        </main>
      </body>
    </html> `;
  return `${page.text.trimEnd()}\n`;
}

function navigation(
  parts: readonly { readonly link: string; readonly title: string }[],
  models: readonly ColoredModel[],
): Html | false {
  const linked = models.filter(({ link }) => link !== undefined);
  if (parts.length + linked.length < 2) return false;
  return html`<a class="skip" href="#content">To the content</a>
    <nav aria-label="Sections">
      <ul>
        ${parts.map(({ link, title }) => html`<li><a href="#${link}">${title}</a></li>`)}
        ${linked.map(({ link, model, color }) => html`<li><a href="#${link}">${swatch(color)}${model.name}</a></li>`)}
      </ul>
    </nav>`; // prettier-ignore
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
    await writeWhole(path, page);
  } catch (cause) {
    throw new FileError(`report.write: cannot write "${path}": ${(cause as Error).message}`, { cause });
  }
}

// The page of a run that is under way is read while it is written anew: a reader gets the old one or the new one.
async function writeWhole(path: string, page: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, page, { flag: "wx" });
    await rename(draft, path);
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown;
  }
}
