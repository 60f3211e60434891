// All trials in a table of which only the rows in sight exist.
import { h } from "./dom.js";
import { textOf, type Store, type Trial } from "./store.js";
import { short, stateColors } from "./theme.js";
import type { Context, View } from "./view.js";

const rowHeight = 34;
const around = 12;

interface Column {
  readonly name: string;
  readonly width: number;
  readonly text: (trial: Trial) => string;
  /** What it is sorted by; what is missing comes last. */
  readonly key: (trial: Trial) => number | string | null;
}

/** The table of trials. */
export function trialTable(context: Context): View {
  const table = new TrialTable(context);
  const observer = new ResizeObserver(() => table.fill());
  observer.observe(table.pane);
  return { element: table.element, draw: () => table.order(), close: () => observer.disconnect() };
}

class TrialTable {
  readonly element: HTMLElement;
  readonly pane: HTMLElement;
  private readonly head = h("div", { class: "row head", role: "row" });
  private readonly body = h("div", { class: "rows" });
  private readonly count = h("span", { class: "note" });
  private readonly states = h("select", { "aria-label": "state" }, h("option", { value: "" }, "all states"), Object.keys(stateColors).map((state) => h("option", { value: state }, state))); // prettier-ignore
  private readonly search = h("input", { type: "search", placeholder: "number, value, worker …", "aria-label": "search" }); // prettier-ignore
  private readonly store: Store;
  private readonly open: Context["open"];
  private sorted = 0;
  private down = false;
  private list: readonly Trial[] = [];
  private columns: readonly Column[] = [];

  constructor({ store, open }: Context) {
    this.store = store;
    this.open = open;
    this.pane = h("div", { class: "table", role: "table", "aria-label": "trials", tabindex: 0 }, this.head, this.body);
    this.element = h("div", {}, h("div", { class: "picks" }, this.states, this.search, this.count), this.pane);
    this.states.addEventListener("change", () => this.order());
    this.search.addEventListener("input", () => this.order());
    let waiting = false;
    this.pane.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        this.fill();
      });
    });
  }

  /** Lists the trials that are asked for in their order. */
  order(): void {
    this.columns = columnsOf(this.store);
    const { key } = this.columns[this.sorted] ?? this.columns[0]!;
    const sign = this.down ? -1 : 1;
    this.list = this.store.all.filter((trial) => this.isWanted(trial)).sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
      return sign * (x < y ? -1 : x > y ? 1 : a.number - b.number);
    }); // prettier-ignore
    this.count.textContent = `${this.list.length.toLocaleString("en")} of ${this.store.all.length.toLocaleString("en")} trials`; // prettier-ignore
    this.head.replaceChildren(...this.columns.map(({ name }, i) => this.heading(name, i)));
    this.body.style.height = `${this.list.length * rowHeight}px`;
    this.pane.style.setProperty("--columns", this.columns.map(({ width }) => `minmax(0, ${width}fr)`).join(" "));
    this.pane.style.setProperty("--width", `${this.columns.reduce((sum, { width }) => sum + width, 0)}px`);
    this.fill();
  }

  /** Makes the rows in sight, and some around. */
  fill(): void {
    const first = Math.max(0, Math.floor(this.pane.scrollTop / rowHeight) - around);
    const last = Math.ceil((this.pane.scrollTop + this.pane.clientHeight) / rowHeight) + around;
    this.body.replaceChildren(...this.list.slice(first, last).map((trial, i) => this.row(trial, first + i)));
  }

  private isWanted(trial: Trial): boolean {
    const wanted = this.search.value.trim().toLowerCase();
    if (this.states.value !== "" && trial.state !== this.states.value) return false;
    return wanted === "" || this.columns.some(({ text }) => text(trial).toLowerCase().includes(wanted));
  }

  private heading(name: string, i: number): HTMLElement {
    const isSorted = i === this.sorted;
    const sort = (): void => {
      this.down = isSorted && !this.down;
      this.sorted = i;
      this.order();
    };
    const order = isSorted ? (this.down ? "descending" : "ascending") : undefined;
    return h("button", { role: "columnheader", title: name, click: sort, "aria-sort": order }, name, isSorted && (this.down ? " ↓" : " ↑")); // prettier-ignore
  }

  private row(trial: Trial, i: number): HTMLElement {
    const cells = this.columns.map(({ name, text }) => h("span", { role: "cell", title: text(trial) }, name === "state" && h("i", { class: `dot ${trial.state}` }), text(trial))); // prettier-ignore
    const row = h("div", { class: "row", role: "row", click: () => this.open(trial.number) }, cells);
    row.style.top = `${i * rowHeight}px`;
    return row;
  }
}

function columnsOf({ head }: Store): Column[] {
  return [
    { name: "trial", width: 84, text: ({ number }) => String(number), key: ({ number }) => number },
    { name: "state", width: 122, text: ({ state }) => state, key: ({ state }) => state },
    ...head.labels.map((name, k): Column => ({ name, width: 104, text: ({ values }) => (values[k] === undefined ? "" : short(values[k])), key: ({ values }) => values[k] ?? null })),
    ...head.parameters.map(({ name, distribution }, at): Column => ({ name, width: 104, text: ({ params }) => textOf(distribution, params[at]), key: ({ params }) => (distribution.kind === "choice" ? textOf(distribution, params[at]) : (params[at] ?? null)) })),
    { name: "seconds", width: 90, text: (trial) => (secondsOf(trial) === null ? "" : short(secondsOf(trial)!)), key: secondsOf },
    { name: "worker", width: 180, text: ({ worker }) => worker ?? "", key: ({ worker }) => worker },
  ]; // prettier-ignore
}

const secondsOf = ({ started, ended }: Trial): number | null => (started === null || ended === null ? null : (ended - started) / 1000); // prettier-ignore
