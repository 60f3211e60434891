// The trials of a study as rows.
import type { Study } from "./study.js";

/** RFC 4180, with a header. */
export function csvOf(study: Pick<Study, "labels" | "trials">): string {
  const { labels, trials } = study;
  const flat = trials.map(({ params }) => flatten(params));
  const names = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  const attributes = [...new Set(trials.flatMap((trial) => Object.keys(trial.attributes)))];
  const constraints = Math.max(0, ...new Set(trials.map((trial) => trial.constraints.length)));
  const hasReports = trials.some(({ intermediate }) => intermediate.length > 0);
  const header = [
    "number",
    "state",
    ...labels,
    ...Array.from({ length: constraints }, (_, k) => `constraints.${k}`),
    ...names.map((name) => `params.${name}`),
    ...attributes.map((name) => `attributes.${name}`),
    ...(hasReports ? ["reports", "last.step", "last.value"] : []),
    "started",
    "seconds",
    "error",
  ];
  const rows = trials.map((trial, i) => {
    const last = trial.intermediate.at(-1);
    return [
      trial.number,
      trial.state,
      ...labels.map((_, k) => trial.values[k]),
      ...Array.from({ length: constraints }, (_, k) => trial.constraints[k]),
      ...names.map((name) => flat[i]![name]),
      ...attributes.map((name) => trial.attributes[name]),
      ...(hasReports ? [trial.intermediate.length, last?.step, last?.value] : []),
      trial.started?.toISOString(),
      trial.seconds,
      trial.error === undefined ? undefined : `${trial.error.name}: ${trial.error.message}`,
    ];
  });
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
