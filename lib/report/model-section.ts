// One model: what it takes for what, the samples it got wrong, and the weights of its layers. A section folds; its anchor is inside,
// so that following a link to it opens it (as browsers do for a target within closed details), without a script.

import type { Canvas } from "./canvas.js";
import { classNamer, confusionCells, heatMap } from "./confusion.js";
import { percent, whole } from "./number-text.js";
import { html, type Html } from "./html.js";
import type { LayerWeights, Mistake, ModelReport } from "./run-report.js";
import { swatch } from "./summary-section.js";
import { short, weightChart } from "./weights.js";

/** What draws a model's section. */
export interface Drawing {
  readonly canvas: Canvas;
  readonly encode: (pixels: Uint8Array, width?: number) => string;
  readonly color: string;
  /** The section's anchor. */
  readonly link: string;
  /** Whether it is unfolded to begin with. */
  readonly open: boolean;
}

const MOST_MISTAKES = 44;
const MOST_MIXUPS = 12;

/** Whether there is more to show of a model than its row in the summary. */
export function hasSection({ confusion, mistakes = [], layers = [] }: ModelReport): boolean {
  return confusion !== undefined || mistakes.length > 0 || layers.length > 0;
}

export function modelSection(drawing: Drawing, model: ModelReport): Html {
  const { confusion, mistakes = [], layers = [] } = model;
  const { color, link, open } = drawing;
  return html`<details class="model"${open && html` open`}>
    <summary><h2>${swatch(color)}${model.name}${model.description !== undefined && html`<small>${model.description}</small>`}</h2></summary>
    <div id="${link}" class="stack">
      ${confusion && confusionCards(drawing, confusion)}
      ${mistakes.length > 0 && mistakesCard(drawing, mistakes, confusion ? classNamer(confusion) : String)}
      ${layers.length > 0 && layersCard(drawing, layers)}
    </div>
  </details>`; // prettier-ignore
}

function confusionCards({ canvas }: Drawing, confusion: NonNullable<ModelReport["confusion"]>): Html {
  const cells = confusionCells(confusion);
  const nameOf = classNamer(confusion);
  const wrong = cells.filter(({ label, predicted, count }) => label !== predicted && count > 0);
  const mixups = wrong.toSorted((a, b) => b.count - a.count).slice(0, MOST_MIXUPS);
  const [all, missed] = [sum(cells), sum(wrong)];
  return html`<div class="grid">
    <figure class="card heat"><h3>Confusion matrix</h3>${heatMap(canvas, confusion)}</figure>
    <div class="card">
      <h3>Most frequent mix-ups<small>${whole(missed)} of ${whole(all)} wrong, ${percent(missed / Math.max(all, 1))}</small></h3>
      <ul class="mixups">
        ${mixups.map(
          ({ label, predicted, count }) =>
            html`<li><span><b>${nameOf(label)}</b> read as <b>${nameOf(predicted)}</b></span><span>${whole(count)}</span><i style="--share: ${((100 * count) / mixups[0]!.count).toFixed(1)}%" aria-hidden="true"></i></li>`,
        )}
      </ul>
    </div>
  </div>`; // prettier-ignore
}

function mistakesCard({ encode }: Drawing, mistakes: readonly Mistake[], nameOf: (index: number) => string): Html {
  const surest = mistakes.toSorted((a, b) => b.probability - a.probability).slice(0, MOST_MISTAKES);
  const hint =
    surest.length < mistakes.length ? `the ${surest.length} surest of ${whole(mistakes.length)}` : "the surest first";
  const figure = ({ pixels, width, predicted, actual, probability }: Mistake) => {
    const [is, read] = [nameOf(actual), nameOf(predicted)];
    return html`<figure title="${`labelled ${is}, read as ${read} with a probability of ${percent(probability)}`}">
      <span><img src="${encode(pixels, width)}" alt="${is} read as ${read}" loading="lazy"></span>
      <b>${is}</b> read as <b>${read}</b><br>${(probability * 100).toFixed(0)} % sure
    </figure>`; // prettier-ignore
  };
  return html`<div class="card">
    <h3>Mistakes<small>${hint}</small></h3>
    <div class="digits">${surest.map(figure)}</div>
  </div>`;
}

function layersCard({ canvas, color }: Drawing, layers: readonly LayerWeights[]): Html {
  const figure = ({ name, shape, histogram, before }: LayerWeights) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const zeros = histogram.zeros > 0 ? `, ${percent(histogram.zeros / count)} zero` : "";
    return html`<figure>
      <h4>${name}</h4>
      <p>${shape.join(" × ")}${zeros}<br>${short(histogram.min)} to ${short(histogram.max)}, deviation ${short(histogram.deviation)}</p>
      ${weightChart(canvas, histogram, color, before)}
    </figure>`; // prettier-ignore
  };
  return html`<div class="card">
    <h3>Weights by layer${layers.some(({ before }) => before) && html`<small>outline: before compression</small>`}</h3>
    <div class="layers">${layers.map(figure)}</div>
  </div>`;
}

function sum(cells: readonly { readonly count: number }[]): number {
  return cells.reduce((total, { count }) => total + count, 0);
}
