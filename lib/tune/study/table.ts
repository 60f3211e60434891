// The trials of a study as rows.
import type { Study } from "./study.js";

/** RFC 4180, with a header. */
export function csvOf(study: Pick<Study, "labels" | "trials">): string {
  const { labels, trials } = study;
  const flat = trials.map(({ params }) => flatten(params));
  const names = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  const attributes = [...new Set(trials.flatMap((trial) => Object.keys(trial.attributes)))];
  const header = ["number", "state", ...labels, ...names.map((name) => `params.${name}`), ...attributes.map((name) => `attributes.${name}`), "started", "seconds", "error"]; // prettier-ignore
  const rows = trials.map((trial, i) => [
    trial.number,
    trial.state,
    ...labels.map((_, k) => trial.values[k]),
    ...names.map((name) => flat[i]![name]),
    ...attributes.map((name) => trial.attributes[name]),
    trial.started?.toISOString(),
    trial.seconds,
    trial.error === undefined ? undefined : `${trial.error.name}: ${trial.error.message}`,
  ]);
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Parameters by their path; lists and objects that are values of choices stay whole where they are lists. */
export function flatten(params: object, prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(params).flatMap(([key, value]: [string, unknown]) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(flatten(value, `${prefix}${key}.`))
        : [[`${prefix}${key}`, value]],
    ),
  );
}

function cell(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const plain = typeof value === "number" ? String(value) : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
