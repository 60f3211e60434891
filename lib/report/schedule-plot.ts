// A schedule as a picture of its own, to look at before a run is spent on it.

import { requireCount } from "../guidance/arguments.js";
import { checkOptions } from "../errors.js";
import { from, type ScheduleLike } from "../schedule/index.js";
import { openCanvas } from "./canvas.js";
import { curves } from "./curves.js";

// A picture outside a report has no page to take colours from.
const colors = "--line: #ddd8cc; --soft: #6e6a61; --c0: #c4511d; --card: #fff; color: #6e6a61";

/**
 * An SVG of a schedule over a run of `steps` steps; `stepsPerEpoch` is for spans in epochs.
 *
 * @throws ArgumentError if `steps` is not a whole number from 1 on.
 * @example
 * await writeFile("lr.svg", await report.plotSchedule(schedule.cosine({ peak: 1e-3, warmup: 0.05 }), { steps: 4690 }));
 */
export async function plotSchedule(
  like: ScheduleLike,
  options: { readonly steps: number; readonly stepsPerEpoch?: number | undefined },
): Promise<string> {
  checkOptions("report.plotSchedule", options, ["steps", "stepsPerEpoch"]);
  const { steps, stepsPerEpoch } = options;
  requireCount("report.plotSchedule", "steps", steps);
  const schedule = from(like, "report.plotSchedule");
  const line = Array.from({ length: steps }, (_, step) => ({ step, value: schedule(step, steps, stepsPerEpoch) }));
  const axis = { label: "Schedule", format: (value: number) => String(Number(value.toPrecision(3))) };
  const { text } = curves(await openCanvas(), [{ name: "schedule", color: "var(--c0)", line }], axis);
  return text
    .replace(/(<svg\b[^>]*?style=")font-family:inherit;/, `$1${colors};font-family:system-ui, sans-serif;`)
    .replace(/<svg (?![^>]*xmlns=)/, '<svg xmlns="http://www.w3.org/2000/svg" ');
}
