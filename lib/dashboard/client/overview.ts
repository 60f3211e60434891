// What a study has come to at a glance.
import { h } from "./dom.js";
import { textOf } from "./store.js";
import { importances } from "./space.js";
import { short } from "./theme.js";
import { distribution, history } from "./values.js";
import type { Context, View } from "./view.js";

/** Counts, the best trial, history, importance and distribution. */
export function overview(context: Context): View {
  const { store, open } = context;
  const facts = h("div", { class: "facts" });
  const best = h("figure", { class: "card" });
  const parts = [history(context), importances(context), distribution(context)];
  const draw = (): void => {
    facts.replaceChildren(fact(store.all.length.toLocaleString("en"), "trials"), ...[...store.counts].map(([state, count]) => fact(count.toLocaleString("en"), state, state)), ...took(context)); // prettier-ignore
    drawBest();
    for (const part of parts) part.draw();
  };
  const drawBest = (): void => {
    const { head } = store;
    const isOne = head.directions.length === 1;
    const trial = isOne ? store.ranked(0)[0]?.trial : store.front[0];
    if (trial === undefined) {
      best.replaceChildren(h("h3", {}, "Best trial"), h("p", { class: "note" }, "No trial is complete yet."));
      return;
    }
    const rows = head.parameters.flatMap(({ name, distribution: d }, at) => trial.params[at] === null || trial.params[at] === undefined ? [] : [h("dt", {}, name), h("dd", {}, textOf(d, trial.params[at]))]); // prettier-ignore
    best.replaceChildren(
      h("h3", {}, isOne ? "Best trial" : `First of ${store.front.length} on the front`),
      h("p", { class: "best" }, h("b", {}, trial.values.map(short).join(" · ")), ` ${head.labels.join(" · ")}`),
      h("dl", {}, rows),
      h("button", { click: () => open(trial.number) }, `trial ${trial.number}`),
    );
  };
  const [first, ...others] = parts as [View, ...View[]];
  const element = h("div", {}, facts, h("div", { class: "grid" }, first.element, best, ...others.map((part) => part.element))); // prettier-ignore
  return { element, draw, close: () => parts.forEach((part) => part.close()) };
}

const fact = (value: string, name: string, state?: string): HTMLElement => h("div", {}, h("b", {}, value), h("span", {}, state !== undefined && h("i", { class: `dot ${state}` }), name)); // prettier-ignore

function took({ store }: Context): HTMLElement[] {
  const times = store.all.filter(({ started }) => started !== null);
  if (times.length === 0) return [];
  const first = times.reduce((least, { started }) => Math.min(least, started!), Infinity);
  const last = times.reduce((most, { started, ended }) => Math.max(most, ended ?? started!), 0);
  const seconds = (last - first) / 1000;
  return [fact(seconds < 120 ? `${seconds.toFixed(0)} s` : seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`, "from first to last")]; // prettier-ignore
}
