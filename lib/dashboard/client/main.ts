// The page: the list of studies, or one of them with its views; where it stands is in the address after "#".
import "uplot/dist/uPlot.min.css";
import "./main.css";
import type { ListedStudy, Snapshot, StudyHead, Update } from "../message.js";
import type { FinishedTrial } from "../../tune/study/finished.js";
import { showTrial } from "./detail.js";
import { h } from "./dom.js";
import { overview } from "./overview.js";
import { parallel } from "./parallel.js";
import { contour, slices } from "./space.js";
import { Store, textOf } from "./store.js";
import { trialTable } from "./table.js";
import { short } from "./theme.js";
import { curves, front, objectivePick, timeline } from "./values.js";
import type { Context, View } from "./view.js";

const views: readonly { readonly name: string; readonly make: (context: Context) => View; readonly fits?: (head: StudyHead) => boolean; readonly byValue?: boolean }[] = [
  { name: "Overview", make: overview, byValue: true },
  { name: "Front", make: front, fits: ({ directions }) => directions.length > 1 },
  { name: "Slices", make: slices, byValue: true },
  { name: "Contour", make: contour, byValue: true },
  { name: "Parallel", make: parallel, byValue: true },
  { name: "Curves", make: curves },
  { name: "Timeline", make: timeline },
  { name: "Trials", make: trialTable },
]; // prettier-ignore

const root = document.getElementById("content")!;
let close: () => void = () => undefined;

async function ask<T>(what: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
  const answer = await fetch(`/api/${what}?${new URLSearchParams(query).toString()}`);
  const body = (await answer.json()) as T & { readonly error?: string };
  if (!answer.ok) throw new Error(body.error ?? answer.statusText);
  return body;
}

function trouble(thrown: unknown): void {
  root.replaceChildren(h("p", { class: "note" }, (thrown as Error).message), h("p", {}, h("a", { href: "#" }, "all studies"))); // prettier-ignore
}

async function list(): Promise<void> {
  document.title = "Athanor: studies";
  const studies = await ask<ListedStudy[]>("studies");
  const rows = studies.toReversed().map(({ name, trials, created }) =>
    h("a", { class: "card study", href: hashOf({ name }) }, h("b", {}, name), h("span", {}, `${trials.toLocaleString("en")} trials`), h("span", {}, new Date(created).toLocaleString())),
  ); // prettier-ignore
  root.replaceChildren(h("header", {}, h("h1", {}, "Studies")), rows.length > 0 ? h("div", { class: "studies" }, rows) : h("p", { class: "note" }, "There is no study yet.")); // prettier-ignore
}

interface Place {
  readonly name: string;
  readonly view?: string;
  readonly value?: number;
}

const hashOf = ({ name, view, value }: Place): string => `#${new URLSearchParams({ study: name, ...(view === undefined ? {} : { view }), ...(value === undefined || value === 0 ? {} : { value: String(value) }) }).toString()}`; // prettier-ignore

function placeNow(): Place | undefined {
  const asked = new URLSearchParams(location.hash.slice(1));
  const name = asked.get("study");
  if (name === null) return undefined;
  return { name, view: asked.get("view") ?? views[0]!.name, value: Number(asked.get("value") ?? 0) };
}

let store: Store | undefined;
let followed: string | undefined;

// The study of the address; its trials stay while only the view changes.
async function study(place: Place): Promise<void> {
  if (followed !== place.name || store === undefined) {
    close();
    root.replaceChildren(h("p", { class: "note" }, "Reading …"));
    const snapshot = await ask<Snapshot>("study", { name: place.name });
    store = new Store(snapshot);
    followed = place.name;
    const events = follow(store, place.name);
    close = () => events.close();
  }
  show(store, place);
}

let shown: View | undefined;
let state: HTMLElement | undefined;

function show(current: Store, { name, view, value = 0 }: Place): void {
  shown?.close();
  const { head } = current;
  document.title = `${name}: Athanor`;
  const fitting = views.filter(({ fits }) => fits?.(head) ?? true);
  const chosen = fitting.find((each) => each.name === view) ?? fitting[0]!;
  const objective = Math.min(value, head.labels.length - 1);
  const open = (number: number): void => void ask<FinishedTrial>("trial", { name, number: String(number) }).then((trial) => showTrial(current, trial as never), trouble); // prettier-ignore
  const context: Context = { store: current, objective, open, say: (number) => tell(current, number), ask: (what, query = {}) => ask(what, { ...query, name }) }; // prettier-ignore
  shown = chosen.make(context);
  const tabs = fitting.map((each) => h("li", {}, h("a", { href: hashOf({ name, view: each.name, value: objective }), "aria-current": each === chosen ? "page" : undefined }, each.name))); // prettier-ignore
  const pick = chosen.byValue === true ? objectivePick(current, objective, (k) => (location.hash = hashOf({ name, view: chosen.name, value: k }))) : undefined; // prettier-ignore
  state = h("span", { class: "state" }, "live");
  root.replaceChildren(
    h("nav", { class: "tabs" }, h("a", { href: "#", class: "home" }, "Studies"), h("ul", {}, tabs)),
    h("header", {}, h("h1", {}, name), h("ul", { class: "meta" }, h("li", {}, `sampler ${head.sampler}, pruner ${head.pruner}, seed ${head.seed}, ${head.mode}`), h("li", {}, state)), pick), // prettier-ignore
    h("section", { class: "view" }, shown.element),
  );
  root.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  shown.draw();
}

function tell(current: Store, number: number): string {
  const { head } = current;
  const trial = current.get(number);
  if (trial === undefined) return `trial ${number}`;
  const values = trial.values.map((value, k) => `${head.labels[k]!} ${short(value)}`);
  const params = head.parameters.flatMap(({ name, distribution }, at) => (trial.params[at] === null || trial.params[at] === undefined ? [] : [`${name} ${textOf(distribution, trial.params[at])}`])); // prettier-ignore
  return [`trial ${number}`, ...values, ...params.slice(0, 12)].join("\n");
}

// What changed comes as events; they are drawn together, once the browser has time.
function follow(current: Store, name: string): EventSource {
  const events = new EventSource(`/api/events?${new URLSearchParams({ name, since: String(current.revision) }).toString()}`); // prettier-ignore
  let waiting = false;
  events.addEventListener("message", ({ data }: MessageEvent<string>) => {
    const update = JSON.parse(data) as Update & { readonly head?: StudyHead };
    if (update.revision <= current.revision && update.head === undefined) return; // told again after a break
    current.take(update);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (current === store) shown?.draw();
    });
  });
  events.addEventListener("open", () => state !== undefined && (state.textContent = "live"));
  events.addEventListener("error", () => state !== undefined && (state.textContent = "not connected; trying again"));
  events.addEventListener("gone", ({ data }: MessageEvent<string>) => {
    events.close();
    if (state !== undefined) state.textContent = (JSON.parse(data) as { error: string }).error;
  });
  return events;
}

function go(): void {
  const place = placeNow();
  if (place !== undefined) {
    study(place).catch(trouble);
    return;
  }
  close();
  shown?.close();
  [store, followed, shown] = [undefined, undefined, undefined];
  list().catch(trouble);
}

addEventListener("hashchange", go);
go();
