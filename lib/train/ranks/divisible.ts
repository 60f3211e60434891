// Runs that ranks cannot do together, whichever way they are divided.
import { UnsupportedError } from "../../errors.js";
import type { StepLoopsSource } from "../step/step-loops.js";

/** Refuses devices and pruning, which no division has. @throws UnsupportedError */
export function requireDivisible({ where, hooks, plan }: StepLoopsSource): void {
  if (plan.device !== undefined && plan.device !== "cpu") {
    throw new UnsupportedError(
      `${where}: ranks train on the CPU, got device "${plan.device}"; leave out device, or parallel`,
    );
  }
  if (hooks.trace || hooks.pause) {
    throw new UnsupportedError(
      `${where}: pruning during training is not divided among ranks yet; train with parallel first, then prune on one rank`,
    );
  }
}
