// The top of a report: what was done, the table of models, what to try next; and its last line.

import { bestIn, columns, whole } from "./figures.js";
import { html, type Html } from "./html.js";
import type { ModelReport, RunReport } from "./run-report.js";
import { duration } from "../train/format.js";

/** A model and its colour on the page. */
export interface ColoredModel {
  readonly model: ModelReport;
  readonly color: string;
}

export function header({ title, lead, dataset, machine, seconds, created }: RunReport): Html {
  const facts = [
    dataset && `${dataset.name}: ${whole(dataset.train)} to train on, ${whole(dataset.test)} to test`,
    machine &&
      `${machine.isa}, ${machine.threads} ${machine.threads === 1 ? "thread" : "threads"}, Node ${machine.node}`,
    seconds !== undefined && `${duration(seconds)} in all`,
    created?.replace("T", " ").replace(/:\d\d(\.\d+)?Z$/, " UTC"),
  ].filter((fact) => typeof fact === "string");
  return html`<header>
    <h1>${title}</h1>
    ${lead !== undefined && html`<p class="lead">${lead}</p>`}
    ${facts.length > 0 && html`<ul class="meta">${facts.map((fact) => html`<li>${fact}</li>`)}</ul>`}
  </header>`; // prettier-ignore
}

export function summarySection(report: RunReport, models: readonly ColoredModel[]): Html {
  const summaries = models.map(({ model }) => model.summary);
  const shown = columns.filter(({ value }) => summaries.some((summary) => value(summary) !== undefined));
  const best = shown.map((column) => bestIn(column, summaries));
  const row = ({ model, color }: ColoredModel, i: number) =>
    html`<tr>
      <td>${swatch(color)}${model.name}</td>
      ${shown.map(({ text }, c) => html`<td${best[c] === i && html` class="best"`}>${text(model.summary) ?? "–"}</td>`)}
    </tr>`; // prettier-ignore
  return html`<section>
    <h2>Summary</h2>
    <div class="card">
      <div class="scroll">
        <table>
          <thead><tr><th>model</th>${shown.map(({ title }) => html`<th>${title}</th>`)}</tr></thead>
          <tbody>${models.map(row)}</tbody>
        </table>
      </div>
      ${summaries.some(({ latencyMicros }) => latencyMicros) && html`<p class="hint">Latency is that of one prediction at batch 1, samples/s the throughput of a large batch.</p>`}
    </div>
    ${nextSteps(report.next)}
  </section>`; // prettier-ignore
}

export function footer({ created }: RunReport): Html {
  return html`<footer>
    Written by Athanor${created !== undefined && ` on ${created.slice(0, 10)}`}. The page is complete in itself.
  </footer>`;
}

export function swatch(color: string): Html {
  return html`<span class="swatch" style="--of: ${color}"></span>`;
}

function nextSteps(next: readonly string[] = []): Html | false {
  if (next.length === 0) return false;
  const [first, ...rest] = next;
  const text = rest.length === 0 ? html`<p>${first}</p>` : html`<ul>${next.map((step) => html`<li>${step}</li>`)}</ul>`; // prettier-ignore
  return html`<div class="card next">
    <h3>What to try next</h3>
    ${text}
  </div>`;
}
