// The measuring side of the protocol in README.md, for JavaScript: a ready line, then one row for every line on stdin.
// Athanor's own suites use it too, so that both sides of a ratio are timed by the same rules.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

/** The definitions of cases.json, by suite and case. */
export const cases = JSON.parse(readFileSync(new URL("./cases.json", import.meta.url), "utf8"));

/** `--case NAME --threads N` from the command line, the case checked against `suite`. */
export function readArguments(suite) {
  const { values } = parseArgs({
    options: { suite: { type: "string" }, case: { type: "string" }, threads: { type: "string", default: "1" } },
  });
  const definition = cases[suite]?.[values.case];
  if (!definition) {
    throw new Error(`--case: ${suite} has no case ${values.case}, expected one of ${Object.keys(cases[suite] ?? {})}`);
  }
  return { case: values.case, threads: Number(values.threads), definition };
}

/** A unit's value from seconds a call, or for rates from what a call does. */
export function valueOf(definition, seconds) {
  switch (definition.unit) {
    case "ms":
      return seconds * 1e3;
    case "µs":
      return seconds * 1e6;
    case "GFLOP/s":
      return definition.work.flops / seconds / 1e9;
    case "GB/s":
      return definition.work.bytes / seconds / 1e9;
    default:
      return (definition.perStep ?? 1) / seconds;
  }
}

async function secondsOf(step, window, least = 3) {
  await step(); // warm again after the other side's turn
  const times = [];
  let begin = performance.now();
  const end = begin + window * 1e3;
  while (begin < end || times.length < least) {
    const pending = step();
    if (pending instanceof Promise) await pending;
    const now = performance.now();
    times.push((now - begin) / 1e3);
    begin = now;
  }
  return Float64Array.from(times).sort();
}

const quantile = (ordered, q) => ordered[Math.min(ordered.length - 1, Math.floor(q * ordered.length))];

/**
 * Announces itself, then measures `step` (sync or async) for as many seconds as each line on stdin says; ends with stdin. Rows in µs also have p99.
 */
export async function serve({ suite, case: name, system, variant, threads, isa, definition, step }) {
  const { unit, work, perStep } = definition;
  const head = { suite, case: name, system, variant, threads, isa, unit, work, perStep };
  await secondsOf(step, 0.3, 10);
  console.log(JSON.stringify({ ready: true, ...head }));
  for await (const line of createInterface({ input: process.stdin })) {
    const times = await secondsOf(step, Number(line) || 1);
    const median = valueOf(definition, quantile(times, 0.5));
    const [p10, p90] = [0.1, 0.9].map((q) => valueOf(definition, quantile(times, q))).sort((a, b) => a - b);
    const p99 = unit === "µs" ? { p99: valueOf(definition, quantile(times, 0.99)) } : {};
    console.log(JSON.stringify({ ...head, median, p10, p90, ...p99, samples: times.length }));
  }
}
