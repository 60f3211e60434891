// All of one trial, in a dialog.
import type { FinishedTrial } from "../../tune/study/finished.js";
import { h } from "./dom.js";
import type { Store } from "./store.js";
import { short } from "./theme.js";

// As it comes from the server: dates are text.
type Sent = Omit<FinishedTrial, "started" | "ended"> & { readonly started?: string; readonly ended?: string };

/** Shows a trial; the browser's Escape and the button close it. */
export function showTrial(store: Store, trial: Sent): void {
  const rows = (entries: readonly (readonly [string, unknown])[]) => entries.flatMap(([name, value]) => value === undefined || value === null || value === "" ? [] : [h("dt", {}, name), h("dd", {}, textOf(value))]); // prettier-ignore
  const part = (title: string, entries: readonly (readonly [string, unknown])[]) => {
    const list = rows(entries);
    return list.length > 0 && [h("h3", {}, title), h("dl", {}, list)];
  };
  const { number, state, values, params, attributes, error, intermediate, constraints, started, ended, seconds, worker, attempt } = trial; // prettier-ignore
  const last = intermediate.at(-1);
  const dialog = h(
    "dialog",
    { class: "detail", "aria-label": `trial ${number}` },
    h("button", { class: "close", "aria-label": "close", click: () => dialog.close() }, "×"),
    h("h2", {}, `Trial ${number}`, h("small", {}, h("i", { class: `dot ${state}` }), state)),
    error !== undefined && h("p", { class: "error" }, `${error.name}: ${error.message}`),
    part(
      "values",
      store.head.labels.map((label, k) => [label, values[k]]),
    ),
    part("parameters", leaves(params)),
    part("reported", [["steps", intermediate.length > 0 ? intermediate.length : undefined], ["last", last && `${short(last.value)} at step ${last.step}`]]), // prettier-ignore
    part(
      "constraints",
      constraints.map((value, i) => [String(i), value]),
    ),
    part("attributes", Object.entries(attributes)),
    part("run", [["began", dateOf(started)], ["ended", dateOf(ended)], ["seconds", seconds], ["worker", worker], ["tried again", attempt > 0 ? attempt : undefined]]), // prettier-ignore
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  document.body.append(dialog);
  dialog.showModal();
}

const dateOf = (text: string | undefined): string | undefined => (text === undefined ? undefined : new Date(text).toLocaleString()); // prettier-ignore

const textOf = (value: unknown): string => (typeof value === "string" ? value : typeof value === "number" ? String(Number(value.toPrecision(8))) : JSON.stringify(value)); // prettier-ignore

function leaves(value: object, path = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) => {
    const name = path === "" ? key : `${path}.${key}`;
    const isGroup = typeof each === "object" && each !== null && !Array.isArray(each);
    return isGroup ? leaves(each, name) : [[name, each]];
  });
}
