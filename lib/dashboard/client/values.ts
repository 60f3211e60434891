// Views of what trials came to: history, distribution, fronts, curves, timeline.
import type uPlot from "uplot";
import type { Curve } from "../message.js";
import { axis, Chart, dots, line, sizeFor } from "./chart.js";
import { h, select } from "./dom.js";
import type { Store } from "./store.js";
import { color, short, stateColors } from "./theme.js";
import type { Context, View } from "./view.js";

/** Values by number, and the best so far. */
export function history({ store, objective, say, open }: Context): View {
  const chart = new Chart(`${store.head.labels[objective]!}: history`, `${store.head.directions[objective]!}d; the line is the best so far`); // prettier-ignore
  const draw = (): void => {
    const done = store.feasible;
    const sign = store.head.directions[objective] === "minimize" ? 1 : -1;
    let best = Infinity;
    const values = done.map(({ values: list }) => list[objective]!);
    const bests = values.map((value) => sign * (best = Math.min(best, sign * value)));
    chart.show({ data: [done.map(({ number }) => number), values, bests], series: [dots("--c1", sizeFor(done.length)), line("--c0", { paths: stepped() })], axes: [axis({ label: "trial" }), axis()], numbers: done.map(({ number }) => number), say, open }); // prettier-ignore
  };
  return { element: chart.element, draw, close: () => chart.close() };
}

// uPlot's own way of drawing steps, as a line that holds its value until the next.
function stepped(): uPlot.Series.PathBuilder {
  return (u, seriesIdx, from, to) => {
    const path = new Path2D();
    const [xs, ys] = [u.data[0], u.data[seriesIdx]!];
    for (let i = from; i <= to; i++) {
      const [x, y] = [u.valToPos(xs[i]!, "x", true), u.valToPos(ys[i]!, "y", true)];
      if (i === from) path.moveTo(x, y);
      else {
        path.lineTo(x, u.valToPos(ys[i - 1]!, "y", true));
        path.lineTo(x, y);
      }
    }
    return { stroke: path };
  };
}

/** The share of trials at least as good as a value. */
export function distribution({ store, objective }: Context): View {
  const isLeast = store.head.directions[objective] === "minimize";
  const chart = new Chart(`${store.head.labels[objective]!}: distribution`, `share of trials at or ${isLeast ? "below" : "above"} a value`); // prettier-ignore
  const draw = (): void => {
    const ranked = store.ranked(objective).map(({ value }) => value);
    const sorted = isLeast ? ranked : ranked.toReversed();
    const n = sorted.length;
    const shares = sorted.map((_, i) => (100 * (isLeast ? i + 1 : n - i)) / n);
    chart.show({ data: [sorted, shares], series: [line("--c1")], scales: { y: { range: [0, 100] } }, axes: [axis({ label: store.head.labels[objective]! }), axis({ values: (_, splits) => splits.map((split) => `${split} %`) })] }); // prettier-ignore
  };
  return { element: chart.element, draw, close: () => chart.close() };
}

/** Two of several values, with the front. */
export function front(context: Context): View {
  const { store, say, open } = context;
  const { labels, directions } = store.head;
  const pairs = labels.flatMap((_, a) => labels.slice(a + 1).map((__, i) => [a, a + 1 + i] as const));
  const charts = pairs.slice(0, 6).map(([a, b]) => ({ a, b, chart: new Chart(`${labels[a]!} and ${labels[b]!}`) }));
  const note = h("p", { class: "note" });
  const draw = (): void => {
    const best = new Set(store.front.map(({ number }) => number));
    note.textContent = `${best.size} trials that no other beats in ${directions.length === 2 ? "both" : `all ${directions.length}`} values.`;
    for (const { a, b, chart } of charts) {
      const sorted = [...store.feasible].sort((one, other) => one.values[a]! - other.values[a]!);
      const of = (isBest: boolean) => sorted.map(({ number, values }) => (best.has(number) === isBest ? values[b]! : null)); // prettier-ignore
      chart.show({ data: [sorted.map(({ values }) => values[a]!), of(false), of(true)], series: [dots("--c5", 4), dots("--c0", 7)], axes: [axis({ label: labels[a]! }), axis()], numbers: sorted.map(({ number }) => number), say, open, height: 320 }); // prettier-ignore
    }
  };
  return { element: h("div", {}, note, h("div", { class: "grid" }, charts.map(({ chart }) => chart.element))), draw, close: () => charts.forEach(({ chart }) => chart.close()) }; // prettier-ignore
}

const mostCurves = 300;

/** What trials reported by step. */
export function curves({ store, ask }: Context): View {
  const chart = new Chart(
    "Reported values",
    "green to the end, grey pruned, blue running; the best and the latest trials",
  );
  let [busy, drawn] = [false, -1];
  const read = async (): Promise<void> => {
    const reported = store.all.filter(({ lastStep }) => lastStep !== null);
    const best = new Set(store.ranked(0).filter(({ trial }) => trial.lastStep !== null).slice(0, mostCurves / 2).map(({ trial }) => trial.number)); // prettier-ignore
    const late = reported.filter(({ number }) => !best.has(number)).slice(-mostCurves / 2);
    const numbers = [...best, ...late.map(({ number }) => number)];
    const found = numbers.length === 0 ? [] : await ask<Curve[]>("curves", { numbers: numbers.join(",") });
    const isPruned = ({ number }: Curve) => (store.get(number)?.state === "pruned" ? 0 : 1);
    const sorted = found.sort((a, b) => isPruned(a) - isPruned(b)); // grey below
    const steps = [...new Set(sorted.flatMap((curve) => curve.steps))].sort((a, b) => a - b);
    const place = new Map(steps.map((step, i) => [step, i]));
    const data = sorted.map((curve) => {
      const values = new Array<number | null>(steps.length).fill(null);
      curve.steps.forEach((step, i) => (values[place.get(step)!] = curve.values[i]!));
      return values;
    });
    const series = sorted.map(({ number }) => line(stateColors[store.get(number)?.state ?? "pruned"]!, { width: 1, spanGaps: true, alpha: 0.7 })); // prettier-ignore
    chart.show({ data: [steps, ...data], series, axes: [axis({ label: "step" }), axis()], height: 420, key: sorted.map(({ number }) => `${number}${store.get(number)?.state ?? ""}`).join() }); // prettier-ignore
  };
  const draw = (): void => {
    if (busy || drawn === store.version) return;
    [busy, drawn] = [true, store.version];
    void read().finally(() => setTimeout(() => {
      busy = false;
      if (drawn !== store.version && chart.element.isConnected) draw();
    }, 2000)); // prettier-ignore
  };
  return { element: chart.element, draw, close: () => chart.close() };
}

/** When each trial ran. */
export function timeline({ store, say, open }: Context): View {
  const chart = new Chart("Timeline", "each trial from its beginning to its end");
  const legend = h("p", { class: "legend" }, Object.entries(stateColors).map(([state]) => h("span", {}, h("i", { class: `dot ${state}` }), state))); // prettier-ignore
  chart.element.append(legend);
  const draw = (): void => {
    const timed = store.all.filter(({ started }) => started !== null).sort((a, b) => a.started! - b.started!);
    const first = timed[0]?.started ?? 0;
    const until = (ended: number | null) => ((ended ?? Date.now()) - first) / 1000;
    const paint = (u: uPlot): void => {
      const { ctx } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      ctx.clip();
      const high = Math.max(1.5, Math.abs(u.valToPos(1, "y", true) - u.valToPos(0, "y", true)) * 0.8);
      for (const { number, started, ended, state } of timed) {
        const [left, right] = [u.valToPos((started! - first) / 1000, "x", true), u.valToPos(until(ended), "x", true)];
        ctx.fillStyle = color(stateColors[state] ?? "--c5");
        ctx.fillRect(left, u.valToPos(number, "y", true) - high / 2, Math.max(1.5, right - left), high);
      }
      ctx.restore();
    };
    const last = timed.reduce((most, { ended }) => Math.max(most, until(ended)), 1);
    const spec = { scales: { y: { dir: -1 as const, range: [-1, Math.max(1, store.all.length)] as [number, number] }, x: { time: false, range: (_: uPlot, low: number, high: number): [number, number] => [low, Math.max(high, low + 1e-3)] } } }; // prettier-ignore
    chart.show({ ...spec, data: [[...timed.map(({ started }) => (started! - first) / 1000), last], [...timed.map(({ number }) => number), null]], series: [{ paths: () => null, points: { show: false } }], axes: [axis({ label: "seconds", values: (_, splits) => splits.map(short) }), axis()], hooks: { draw: [paint] }, numbers: timed.map(({ number }) => number), say, open, height: 460, key: String(store.version) }); // prettier-ignore
  };
  return { element: chart.element, draw, close: () => chart.close() };
}

/** Which of several values charts are about. */
export function objectivePick(store: Store, chosen: number, choose: (k: number) => void): HTMLElement | undefined {
  return store.head.labels.length < 2 ? undefined : select("value", store.head.labels, chosen, choose);
}
