// A card with a uPlot chart: colours of the page, its width that of the card, a pointer that finds the nearest trial.
import uPlot from "uplot";
import { h, card } from "./dom.js";
import { color, short } from "./theme.js";

/** What a chart shows. */
export interface ChartSpec {
  /** By x, which rises. */
  readonly data: uPlot.AlignedData;
  readonly series: readonly uPlot.Series[];
  readonly scales?: uPlot.Scales;
  readonly axes?: readonly [uPlot.Axis, uPlot.Axis];
  readonly hooks?: uPlot.Hooks.Arrays;
  /** The trial at each place of the data. */
  readonly numbers?: readonly number[];
  /** What is said of a trial. */
  readonly say?: (number: number) => string;
  readonly open?: (number: number) => void;
  readonly height?: number;
  /** Anew where this differs from before: other axes or series. */
  readonly key?: string;
}

const longest = 40;
const font = "12px system-ui, sans-serif";

/** How axes look. */
export function axis(more: uPlot.Axis = {}): uPlot.Axis {
  const line = { stroke: () => color("--line"), width: 1 };
  const label = typeof more.label === "string" && more.label.length > longest ? { label: `${more.label.slice(0, longest)}…` } : {}; // prettier-ignore
  return { stroke: () => color("--soft"), font, labelFont: font, labelSize: 18, grid: line, ticks: { ...line, size: 4 }, values: (_, splits) => splits.map((split) => (split === null ? "" : short(split))), ...more, ...label }; // prettier-ignore
}

/** Dots without a line. */
export const dots = (fill: string, size = 5): uPlot.Series => ({
  paths: () => null,
  points: { show: true, size, width: 0, fill: () => color(fill), stroke: () => color(fill) },
});

/** Many dots are smaller. */
export const sizeFor = (count: number): number => (count > 3000 ? 3 : count > 500 ? 4 : 5);

/** A line without dots. */
export const line = (stroke: string, more: uPlot.Series = {}): uPlot.Series => ({
  stroke: () => color(stroke),
  width: 2,
  points: { show: false },
  ...more,
});

/** A chart in its card. */
export class Chart {
  readonly element: HTMLElement;
  private readonly holder = h("div", { class: "plot" });
  private readonly tip = h("div", { class: "tip", hidden: true });
  private plot: uPlot | undefined;
  private spec: ChartSpec | undefined;
  private zoomed = false;
  private readonly observer: ResizeObserver;

  constructor(title: string, note?: string) {
    this.holder.append(this.tip);
    this.element = card(title, note, this.holder);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => this.plot?.redraw()));
  }

  /** Draws, or draws again. */
  show(spec: ChartSpec): void {
    const isSame = this.plot !== undefined && this.spec?.key === spec.key && this.spec?.series.length === spec.series.length;
    this.spec = spec;
    this.holder.classList.toggle("empty", spec.data[0].length === 0);
    if (isSame) this.plot!.setData(spec.data, !this.zoomed);
    else this.make();
  } // prettier-ignore

  close(): void {
    this.observer.disconnect();
    this.plot?.destroy();
  }

  private make(): void {
    this.plot?.destroy();
    this.zoomed = false;
    const { data, series, scales = {}, axes = [axis(), axis()], hooks = {} } = this.spec!;
    const size = this.size();
    const sized = axes.map((each, i) => (i === 1 ? { size: 58, ...each } : { size: each.label === undefined ? 30 : 30, ...each })); // prettier-ignore
    const point = { setCursor: [...(hooks.setCursor ?? []), () => this.point()], setSelect: [(u: uPlot) => (this.zoomed = u.select.width > 0)] }; // prettier-ignore
    const options: uPlot.Options = { ...size, scales: { x: { time: false }, ...scales }, series: [{}, ...series], axes: sized, legend: { show: false }, cursor: { y: false, points: { show: false }, drag: { x: true, y: false, dist: 8 } }, hooks: { ...hooks, ...point }, padding: [12, 14, 4, 4] }; // prettier-ignore
    this.plot = new uPlot(options, data, this.holder);
    this.plot.over.addEventListener("dblclick", () => (this.zoomed = false));
    this.plot.over.addEventListener("mouseleave", () => (this.tip.hidden = true));
    this.plot.over.addEventListener("click", () => {
      const at = this.nearest();
      if (at !== undefined) this.spec!.open?.(this.spec!.numbers![at]!);
    });
  }

  private size() {
    return { width: Math.max(200, this.holder.clientWidth), height: this.spec?.height ?? 260 };
  }

  private fit(): void {
    if (this.plot !== undefined && Math.abs(this.plot.width - this.size().width) > 1) this.plot.setSize(this.size());
  }

  private point(): void {
    const at = this.nearest();
    this.tip.hidden = at === undefined;
    if (at === undefined) return;
    const { numbers, say } = this.spec!;
    const { left = 0, top = 0 } = this.plot!.cursor;
    this.tip.textContent = say?.(numbers![at]!) ?? "";
    const isRight = left > this.plot!.over.clientWidth / 2;
    const x = left + this.plot!.over.offsetLeft;
    this.tip.style.transform = `translate(${isRight ? `calc(${x - 12}px - 100%)` : `${x + 12}px`}, ${top + 8}px)`;
  }

  // The place in the data of the dot under the pointer.
  private nearest(): number | undefined {
    const { plot, spec } = this;
    const { left = -1, top = -1 } = plot!.cursor;
    if (left < 0 || spec?.numbers === undefined) return undefined;
    const [xs, ...all] = spec.data as unknown as (number | null)[][];
    let [best, least] = [undefined as number | undefined, 24 ** 2];
    for (let i = 0; i < xs!.length; i++) {
      const dx = plot!.valToPos(xs![i]!, "x") - left;
      if (Math.abs(dx) > 24) continue;
      for (const ys of all) {
        const y = ys[i];
        if (y === null || y === undefined) continue;
        const distance = dx ** 2 + (plot!.valToPos(y, "y") - top) ** 2;
        if (distance < least) [best, least] = [i, distance];
      }
    }
    return best;
  }
}
