// The top of a report: what was done, the table of models, what to try next; and its last line.

import { bestIn, shownColumns, type Column } from "./columns.js";
import { describeData } from "./number-text.js";
import { html, type Html } from "./html.js";
import type { ModelReport, ModelSummary, RunReport } from "./run-report.js";
import { duration } from "../train/run/format.js";

/** A model, its colour on the page, and the anchor of its section if it has one. */
export interface ColoredModel {
  readonly model: ModelReport;
  readonly color: string;
  readonly link?: string;
}

export function header({ title, lead, dataset, machine, seconds, created }: RunReport): Html {
  const facts = [
    dataset && describeData(dataset),
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
  const shown = shownColumns(summaries, report.reference);
  const best = shown.map((column) => bestIn(column, summaries));
  const row = ({ model, color, link }: ColoredModel, i: number) =>
    html`<tr>
      <th scope="row">${swatch(color)}${link === undefined ? model.name : html`<a href="#${link}">${model.name}</a>`}</th>
      ${shown.map((column, c) => cell(column, model.summary, best[c]!.includes(i)))}
    </tr>`; // prettier-ignore
  return html`<section id="summary" aria-labelledby="summary-title">
    <h2 id="summary-title">Summary</h2>
    <div class="card">
      <div class="scroll" role="region" aria-label="Table of models" tabindex="0">
        <table>
          <caption>The models in numbers</caption>
          <thead><tr><th scope="col">model</th>${shown.map(({ title, note }) => html`<th scope="col" title="${note}">${title}</th>`)}</tr></thead>
          <tbody>${models.map(row)}</tbody>
        </table>
      </div>
      ${shown.length > 0 && columnNotes(shown)}
    </div>
    ${nextSteps(report.next)}
  </section>`; // prettier-ignore
}

function cell({ text, spread, title, note }: Column, summary: ModelSummary, best: boolean): Html {
  const [figure, sure] = [text(summary), spread?.(summary)];
  const hover = figure === undefined ? `${title}: not known` : `${title}: ${figure}${sure === undefined ? "" : `, ${sure}`}${best ? ", better than every other" : ""}. ${note}`; // prettier-ignore
  const shown = best ? html`<strong>${figure}</strong>` : (figure ?? "–");
  return html`<td${best && html` class="best"`} title="${hover}">${shown}${sure !== undefined && html`<small>${sure}</small>`}</td>`; // prettier-ignore
}

function columnNotes(columns: readonly Column[]): Html {
  return html`<details class="notes">
    <summary>What the columns mean</summary>
    <dl>${columns.map(({ title, note }) => html`<dt>${title}</dt><dd>${note}</dd>`)}</dl>
    <p>Set off in bold: a figure whose interval lies apart from that of every other model. Where none is bold, chance could have made the order.</p>
  </details>`; // prettier-ignore
}

export function footer({ created }: RunReport): Html {
  return html`<footer>
    Written by Athanor${created !== undefined && ` on ${created.slice(0, 10)}`}. The page is complete in itself.
  </footer>`;
}

export function swatch(color: string): Html {
  return html`<span class="swatch" style="--of: ${color}" aria-hidden="true"></span>`;
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
