// Parallel coordinates on a canvas: a line a trial, by rank; a range is dragged out on an axis and keeps the lines through it.
import { card, h } from "./dom.js";
import { textOf, toUnit, type Ranked, type Store } from "./store.js";
import { color, mixed, short } from "./theme.js";
import type { Context, View } from "./view.js";

const [high, top, bottom, side] = [400, 34, 26, 64];
const mostLines = 4000;

interface Axis {
  readonly name: string;
  /** The lowest and the highest value. */
  readonly ends: readonly [string, string];
  /** Where a trial is, from 0 to 1. */
  readonly place: (each: Ranked) => number | undefined;
}

/** Each trial a line over all parameters and the value. */
export function parallel(context: Context): View {
  const lines = new Lines(context);
  const observer = new ResizeObserver(() => lines.draw());
  observer.observe(lines.holder);
  return { element: lines.element, draw: () => lines.draw(), close: () => observer.disconnect() };
}

class Lines {
  readonly element: HTMLElement;
  readonly holder: HTMLElement;
  private readonly canvas = h("canvas", { class: "parallel", role: "img", "aria-label": "parameters of every trial" });
  private readonly ranges = new Map<number, readonly [number, number]>();
  private readonly store: Store;
  private readonly objective: number;
  private drag: { readonly axis: number; readonly from: number } | undefined;

  constructor({ store, objective }: Context) {
    this.store = store;
    this.objective = objective;
    this.holder = h("div", { class: "scroll" }, this.canvas);
    this.element = card("Parallel coordinates", "from the best (strong) to the worst (grey); drag along an axis to keep a range, click it to let go", this.holder); // prettier-ignore
    this.element.classList.add("wide");
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.pull(event));
    this.canvas.addEventListener("pointerup", () => (this.drag = undefined));
  }

  draw(): void {
    const axes = this.axes();
    const [scale, width] = [devicePixelRatio, this.width(axes.length)];
    [this.canvas.width, this.canvas.height] = [width * scale, high * scale];
    [this.canvas.style.width, this.canvas.style.height] = [`${width}px`, `${high}px`];
    const context = this.canvas.getContext("2d")!;
    context.scale(scale, scale);
    const all = this.store.ranked(this.objective);
    const every = Math.max(1, all.length / mostLines);
    const lines = all.filter((_, i) => i < 100 || Math.floor(i / every) !== Math.floor((i - 1) / every)).toReversed();
    const alpha = Math.max(0.06, Math.min(0.6, 60 / lines.length));
    // Those outside of a range that was dragged out lie below.
    const isKept = (each: Ranked): boolean => [...this.ranges].every(([i, [from, to]]) => isWithin(axes[i]?.place(each), from, to)); // prettier-ignore
    for (const isTop of [false, true]) {
      for (const each of lines) {
        if (isKept(each) !== isTop) continue;
        context.strokeStyle = isTop ? mixed("--c0", "--c5", each.share, alpha + 0.35 * (1 - each.share) ** 8) : mixed("--line", "--line", 0, 0.5); // prettier-ignore
        context.lineWidth = isTop && each.share < 0.02 ? 1.8 : 1;
        this.trace(context, axes, each);
      }
    }
    axes.forEach((axis, i) => drawAxis(context, this.xOf(i, axes.length), axis, this.ranges.get(i)));
  }

  private axes(): readonly Axis[] {
    const { store, objective } = this;
    const ranked = store.ranked(objective);
    const [low, up] = [ranked.map(({ value }) => value).reduce((a, b) => Math.min(a, b), Infinity), ranked.map(({ value }) => value).reduce((a, b) => Math.max(a, b), -Infinity)]; // prettier-ignore
    const own = store.varied.map(({ name, distribution: d, at }): Axis => ({ name, ends: d.kind === "choice" ? [textOf(d, 0), textOf(d, d.choices.length - 1)] : [short(d.low), short(d.high)], place: ({ trial }) => trial.params[at] === null || trial.params[at] === undefined ? undefined : toUnit(d, trial.params[at]) })); // prettier-ignore
    return [...own, { name: store.head.labels[objective]!, ends: [short(low), short(up)], place: ({ value }) => (up > low ? (value - low) / (up - low) : 0.5) }]; // prettier-ignore
  }

  // A parameter that the trial does not have leaves a gap.
  private trace(context: CanvasRenderingContext2D, axes: readonly Axis[], each: Ranked): void {
    context.beginPath();
    let isDown = false;
    axes.forEach(({ place }, i) => {
      const at = place(each);
      if (at === undefined) isDown = false;
      else if (isDown) context.lineTo(this.xOf(i, axes.length), yOf(at));
      else {
        context.moveTo(this.xOf(i, axes.length), yOf(at));
        isDown = true;
      }
    });
    context.stroke();
  }

  private press(event: PointerEvent): void {
    const count = this.axes().length;
    const axis = Array.from({ length: count }, (_, i) => i).find((i) => Math.abs(this.xOf(i, count) - event.offsetX) < 14); // prettier-ignore
    if (axis === undefined) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { axis, from: placeOf(event) };
    this.ranges.delete(axis);
    this.draw();
  }

  private pull(event: PointerEvent): void {
    if (this.drag === undefined) return;
    const { axis, from } = this.drag;
    const to = placeOf(event);
    if (Math.abs(to - from) > 0.01) this.ranges.set(axis, [Math.min(from, to), Math.max(from, to)]);
    this.draw();
  }

  private width(count: number): number {
    return Math.max(this.holder.clientWidth, count * 110);
  }

  private xOf(i: number, count: number): number {
    return side + (i * (this.width(count) - 2 * side)) / Math.max(1, count - 1);
  }
}

function drawAxis(
  context: CanvasRenderingContext2D,
  x: number,
  { name, ends }: Axis,
  range: readonly [number, number] | undefined,
): void {
  // prettier-ignore
  context.strokeStyle = color("--soft");
  context.lineWidth = 1;
  context.strokeRect(x, top, 0.01, high - top - bottom);
  context.textAlign = "center";
  context.fillStyle = color("--soft");
  context.font = "11px system-ui, sans-serif";
  context.fillText(clipped(ends[0]), x, high - 8);
  context.fillText(clipped(ends[1]), x, top - 6);
  context.fillStyle = color("--ink");
  context.font = "600 12px system-ui, sans-serif";
  context.fillText(clipped(name), x, 12);
  if (range === undefined) return;
  context.fillStyle = mixed("--c1", "--c1", 0, 0.35);
  context.fillRect(x - 6, yOf(range[1]), 12, yOf(range[0]) - yOf(range[1]));
}

const isWithin = (place: number | undefined, from: number, to: number): boolean => place !== undefined && place >= from && place <= to; // prettier-ignore
const yOf = (place: number): number => top + (1 - place) * (high - top - bottom);
const placeOf = (event: PointerEvent): number => 1 - Math.min(1, Math.max(0, (event.offsetY - top) / (high - top - bottom))); // prettier-ignore
const clipped = (text: string): string => (text.length > 17 ? `…${text.slice(-16)}` : text);
