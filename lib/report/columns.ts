// The columns of the summary: one list for the page and the terminal. A column says what it shows, what it means, and how sure a
// figure is, so that only a model whose interval lies apart from every other's is set off.

import { requireFields, requireListOf } from "../guidance/arguments.js";
import { textTable as tableOf } from "../tensor/text-table.js";
import { count, duration } from "../train/run/format.js";
import { bytes, micros, percent, range, times, whole } from "./number-text.js";
import type { ModelSummary } from "./run-report.js";
import { wilson, type Spread } from "./spread.js";

/** A column of the summary. */
export interface Column {
  readonly title: string;
  /** What the figure is, for a reader who asks. */
  readonly note: string;
  readonly text: (summary: ModelSummary) => string | undefined;
  /** How sure it is, in few characters: `± 0.18 %`, `8.4–9.0 µs`. */
  readonly spread?: (summary: ModelSummary) => string | undefined;
  /** The bounds between which it lies; both the same for what is counted exactly. */
  readonly interval: (summary: ModelSummary) => Interval | undefined;
  /** Which end is better; a column without is not compared. */
  readonly better?: "higher" | "lower";
  /** A table of its own on a terminal, which has few columns. */
  readonly group: "model" | "speed";
}

type Interval = readonly [low: number, high: number];

/** The columns of a table whose speeds are relative to the model `reference`. */
export function columnsOf(reference = "the reference"): readonly Column[] {
  const relative = (title: string, note: string, spreadIn: SpreadIn): Column => ({
    ...ofSpread(spreadIn, times),
    title,
    note: `${note} within the same round: above 1 is faster.`,
    better: "higher",
    group: "speed",
  });
  return [
    accuracy,
    ...sizes,
    {
      title: "made in",
      note: "Time of training, or of compressing the model that it comes from.",
      text: (s) => maybe(s.seconds, (seconds) => (seconds < 0.95 ? `${(seconds * 1e3).toFixed(0)} ms` : duration(seconds))), // prettier-ignore
      interval: (s) => exact(s.seconds),
      group: "model",
    },
    {
      ...ofSpread((s) => s.latencyMicros, micros),
      title: "latency",
      note: "One sample at a time, as a service answers: the median, and the 10th to 90th percentile over rounds in which the models took turns.",
      better: "lower",
      group: "speed",
    },
    relative(`latency, × ${reference}`, `How many times as fast as ${reference} it answers`, (s) => s.speedup?.latency),
    {
      ...ofSpread((s) => s.samplesPerSecond, count),
      title: "samples/s",
      note: "Throughput of a large batch: the median, and the 10th to 90th percentile over the same rounds.",
      better: "higher",
      group: "speed",
    },
    relative(
      `samples/s, × ${reference}`,
      `Its throughput relative to that of ${reference}`,
      (s) => s.speedup?.throughput,
    ),
  ];
}

const accuracy: Column = {
  title: "accuracy",
  note: "Share of the test samples that are right; ± half of the 95 % interval (Wilson), by the number of samples.",
  better: "higher",
  group: "model",
  text: (s) => maybe(s.accuracy, percent),
  spread: (s) => maybe(accuracyBounds(s), ([low, high]) => (high > low ? `± ${percent((high - low) / 2)}` : undefined)),
  interval: accuracyBounds,
};

const sizes: readonly Column[] = [
  {
    title: "parameters",
    note: "All numbers that training sets, zeros and biases included.",
    better: "lower",
    group: "model",
    text: (s) => maybe(s.parameters, whole),
    interval: (s) => exact(s.parameters),
  },
  {
    title: "of them 0",
    note: "Share of the parameters that are exactly zero: pruned away, or rounded to zero because they are smaller than half a step of the number format.",
    group: "model",
    text: (s) => maybe(zerosOf(s), (share) => (share === 0 ? "0 %" : percent(share))),
    interval: (s) => exact(zerosOf(s)),
  },
  {
    title: "on disk",
    note: "Bytes of the saved artifact, its graph and its weights.",
    better: "lower",
    group: "model",
    text: (s) => maybe(s.bytes, bytes),
    interval: (s) => exact(s.bytes),
  },
];

/** The columns that have a figure for one of the models at least. */
export function shownColumns(summaries: readonly ModelSummary[], reference?: string): readonly Column[] {
  return columnsOf(reference).filter(({ text }) => summaries.some((summary) => text(summary) !== undefined));
}

/**
 * The models that are best in a column beyond doubt: no other model's interval reaches theirs. Models of just the same interval
 * count as one; none is set off where all are the same, or where chance could have made the order.
 */
export function bestIn({ interval, better }: Column, summaries: readonly ModelSummary[]): readonly number[] {
  if (better === undefined) return [];
  const sign = better === "higher" ? 1 : -1;
  const known = summaries.flatMap((summary, index) => {
    const bounds = interval(summary);
    if (!bounds || bounds.some(Number.isNaN)) return [];
    const [low, high] = sign > 0 ? bounds : [-bounds[1], -bounds[0]];
    return [{ index, low, high }];
  });
  const highest = Math.max(...known.map(({ high }) => high));
  const first = known.find(({ high }) => high === highest);
  const [best, others] = [
    known.filter(({ low, high }) => low === first?.low && high === first.high),
    known.filter(({ low, high }) => low !== first?.low || high !== first.high),
  ];
  const apart = others.length > 0 && others.every(({ high }) => high < first!.low);
  return apart ? best.map(({ index }) => index) : [];
}

/**
 * The summary as lines of text for a terminal, columns aligned: what the models are, then how fast they are.
 *
 * @param reference Name of the model that `speedup` is relative to.
 */
export function textTable(
  models: readonly { readonly name: string; readonly summary: ModelSummary }[],
  reference?: string,
): string {
  requireListOf("report.textTable", models, "a list of models { name, summary }");
  for (const model of models)
    requireFields("report.textTable", model, ["name", "summary"], "a list of models { name, summary }");
  const shown = shownColumns(
    models.map(({ summary }) => summary),
    reference,
  );
  const tables = (["model", "speed"] as const).flatMap((group) => {
    const columns = shown.filter((column) => column.group === group);
    if (columns.length === 0) return [];
    const cell = ({ text, spread }: Column, summary: ModelSummary) => {
      const [figure, sure] = [text(summary), spread?.(summary)];
      if (figure === undefined) return "–";
      return sure === undefined ? figure : sure.startsWith("±") ? `${figure} ${sure}` : `${figure} (${sure})`;
    };
    return [
      tableOf(
        ["model", ...columns.map(({ title }) => title)],
        models.map(({ name, summary }) => [name, ...columns.map((column) => cell(column, summary))]),
      ),
    ];
  });
  const notes = shown.some(({ group }) => group === "speed")
    ? ["In brackets: the 10th to 90th percentile over rounds in which the models took turns."]
    : [];
  return [...tables, ...notes].join("\n\n");
}

type SpreadIn = (summary: ModelSummary) => Spread | undefined;

function ofSpread(spreadIn: SpreadIn, format: (value: number) => string): Pick<Column, "text" | "spread" | "interval"> {
  return {
    text: (s) => maybe(spreadIn(s), ({ median }) => format(median)),
    spread: (s) => maybe(spreadIn(s), (spread) => (spread.p10 < spread.p90 ? range(spread, format) : undefined)),
    interval: (s) => maybe(spreadIn(s), ({ p10, p90 }) => [p10, p90] as const),
  };
}

function accuracyBounds({ accuracy: share, samples }: ModelSummary): Interval | undefined {
  if (share === undefined) return undefined;
  return samples === undefined || !(share >= 0 && share <= 1) ? [share, share] : wilson(share, samples);
}

function zerosOf({ parameters, nonzero }: ModelSummary): number | undefined {
  return parameters && nonzero !== undefined ? 1 - nonzero / parameters : undefined;
}

function exact(value: number | undefined): Interval | undefined {
  return maybe(value, (known) => [known, known]);
}

function maybe<T, R>(value: T | undefined, format: (value: T) => R): R | undefined {
  return value === undefined ? undefined : format(value);
}
