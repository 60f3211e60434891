// What a run tells of its steps, and what it throws for one that met a number that is not finite.
import { NonFiniteError } from "../../errors.js";
import type { StepEvent } from "./records.js";
import { number } from "./format.js";
import type { Position } from "./position.js";
import type { Ran } from "../step/step-loops.js";
import { faultOf } from "../step/step-program.js";

/** The steps of a stretch as events; `bad` is the one at which the engine stopped, and has not been counted. */
export function eventsOf({ program, taken, seconds }: Ran, rows: number, position: Position) {
  const good: StepEvent[] = [];
  const samplesPerSecond = (taken.length * rows) / seconds;
  for (const { loss, lr, gradNorm, fault, spike, counts } of taken) {
    const { step: index, epoch } = position;
    const norm = Number.isNaN(gradNorm) ? {} : { gradNorm };
    const event: StepEvent = { index, epoch, loss, lr, ...norm, samplesPerSecond };
    if (fault !== 0) return { good, bad: { event, fault, spike } };
    position.add(program.kind, loss, rows, counts);
    good.push(event);
  }
  return { good, bad: undefined };
}

/** The error of a step with a fault. */
export function notFinite(
  where: string,
  { program }: Ran,
  { event, fault }: { readonly event: StepEvent; readonly fault: number },
): NonFiniteError {
  const { index, epoch, loss, lr } = event;
  const { what, weights, way } = faultOf(program, fault, loss)!;
  return new NonFiniteError(
    `${where}: ${what} at step ${index} (epoch ${epoch}, lr ${number(lr)}); ${weights}. ${way}`,
  );
}
