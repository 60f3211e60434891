// Figures as a reader of a report wants them, and the columns of the summary: one list for the page and the terminal.

import { textTable as tableOf } from "../tensor/text-table.js";
import { count, duration } from "../train/format.js";
import type { ModelSummary } from "./run-report.js";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `98.42 %`; more digits where they tell something: `99.995 %`. */
export function percent(share: number): string {
  const digits = share > 0.9995 && share < 1 ? 3 : 2;
  return `${(share * 100).toFixed(digits)} %`;
}

/** `2.14 MB`, in powers of 1000. */
export function bytes(size: number): string {
  for (const [unit, name] of [
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ] as const) {
    if (size >= unit) return `${(size / unit).toPrecision(3)} ${name}`;
  }
  return `${size} B`;
}

/** `1,234,567`. */
export function whole(value: number): string {
  return grouped.format(value);
}

/** `8.4 µs`, `1.25 ms`. */
export function micros(value: number): string {
  if (value >= 1000) return `${(value / 1000).toPrecision(3)} ms`;
  return `${value < 100 ? value.toFixed(1) : value.toFixed(0)} µs`;
}

/** A column of the summary. */
export interface Column {
  readonly title: string;
  readonly text: (summary: ModelSummary) => string | undefined;
  /** What is compared; the best of several models is set off. */
  readonly value: (summary: ModelSummary) => number | undefined;
  readonly better: "higher" | "lower";
}

export const columns: readonly Column[] = [
  { title: "accuracy", better: "higher", value: (s) => s.accuracy, text: (s) => maybe(s.accuracy, percent) },
  { title: "parameters", better: "lower", value: (s) => s.nonzero ?? s.parameters, text: parametersOf },
  { title: "on disk", better: "lower", value: (s) => s.bytes, text: (s) => maybe(s.bytes, bytes) },
  {
    title: "latency p50 / p99",
    better: "lower",
    value: (s) => s.latencyMicros?.p50,
    text: (s) => maybe(s.latencyMicros, ({ p50, p99 }) => `${micros(p50)} / ${micros(p99)}`),
  },
  {
    title: "samples/s",
    better: "higher",
    value: (s) => s.samplesPerSecond,
    text: (s) => maybe(s.samplesPerSecond, count),
  },
  { title: "training", better: "lower", value: (s) => s.seconds, text: (s) => maybe(s.seconds, duration) },
];

/** Which of the summaries is best in a column; none if there is nothing to compare. */
export function bestIn(column: Column, summaries: readonly ModelSummary[]): number {
  const values = summaries.map(column.value);
  const known = values.filter((value) => value !== undefined);
  if (known.length < 2) return -1;
  const best = column.better === "higher" ? Math.max(...known) : Math.min(...known);
  return known.every((value) => value === best) ? -1 : values.indexOf(best);
}

/** The summary as lines of text, columns aligned, for a terminal. */
export function textTable(models: readonly { readonly name: string; readonly summary: ModelSummary }[]): string {
  const shown = columns.filter(({ value }) => models.some(({ summary }) => value(summary) !== undefined));
  return tableOf(
    ["model", ...shown.map(({ title }) => title)],
    models.map(({ name, summary }) => [name, ...shown.map(({ text }) => text(summary) ?? "–")]),
  );
}

function parametersOf({ parameters, nonzero }: ModelSummary): string | undefined {
  if (parameters === undefined) return undefined;
  if (nonzero === undefined || nonzero === parameters) return whole(parameters);
  return `${whole(nonzero)} of ${whole(parameters)}`;
}

function maybe<T>(value: T | undefined, format: (value: T) => string): string | undefined {
  return value === undefined ? undefined : format(value);
}
