import type { Intermediate } from "../study/record.js";

/** Reports in order of their steps; a later report of a step takes the place of the earlier. */
export function mergeReports(before: readonly Intermediate[], more: readonly Intermediate[]): readonly Intermediate[] {
  const last = before.at(-1)?.step ?? -Infinity;
  const isAppended = more.every(({ step }, i) => step > (more[i - 1]?.step ?? last));
  if (isAppended) return [...before, ...more];
  const byStep = new Map(before.map((report) => [report.step, report]));
  for (const report of more) byStep.set(report.step, report);
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}
