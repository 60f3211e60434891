// Numbers as a reader of a report wants them: few digits, with a unit.

import { requireFields } from "../guidance/arguments.js";
import type { ReportedData } from "./run-report.js";
import type { Spread } from "./spread.js";

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

/** `1.25×`, `12×`. */
export function times(ratio: number): string {
  return `${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)}×`;
}

/** The 10th and 90th percentile as `format` has them, without the unit if it is the median's: `8.4–9.0`. */
export function range({ p10, median, p90 }: Spread, format: (value: number) => string): string {
  const shown = [p10, p90, median].map(format) as [string, string, string];
  const units = shown.map((text) => /[^\d.]*$/.exec(text)![0]);
  const same = units.every((unit) => unit === units[0]);
  const [low, high] = shown.map((text, i) => (same ? text.slice(0, text.length - units[i]!.length) : text));
  return `${low}–${high}`;
}

/** `MNIST: 55,000 to train on, 5,000 to validate, 10,000 to test`. */
export function describeData(data: ReportedData): string {
  requireFields("report.describeData", data, ["name"], "what a report has of a data set, { name, train, test }");
  const { name, train, validation, test } = data;
  const parts = [
    `${whole(train)} to train on`,
    ...(validation === undefined ? [] : [`${whole(validation)} to validate`]),
    `${whole(test)} to test`,
  ];
  return `${name}: ${parts.join(", ")}`;
}
