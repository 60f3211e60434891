// How a trial ends: what its objective gave or threw, as a storage keeps it.
import { ArgumentError, LeaseLostError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { Failure, Outcome } from "../storage/storage.js";
import type { TunePlan } from "./options.js";
import type { Trial } from "./trial.js";

/** What becomes of a trial whose objective has ended; `stop` ends the search. */
export type Ended = "given back" | { readonly outcome: Outcome; readonly retry: boolean; readonly stop?: unknown };

/** It is to go on elsewhere. A trial whose lease is lost is not this worker's to give back. */
export function givenBack(signal: AbortSignal): "given back" {
  if (signal.reason instanceof LeaseLostError) throw signal.reason;
  return "given back";
}

const constraintsOf = (trial: Trial): Pick<Outcome, "constraints"> =>
  trial.constraintValues === undefined ? {} : { constraints: trial.constraintValues };

/** It was pruned. */
export const pruned = (trial: Trial): Outcome => ({ state: "pruned", ...constraintsOf(trial) });

/** Its objective threw. */
export const failed = (thrown: unknown): Outcome => ({ state: "failed", error: failureOf(thrown) });

function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Error) return { name: thrown.name, message: thrown.message };
  return { name: "Error", message: `the objective threw ${got(thrown)}` };
}

/** Its objective gave a value. @throws ArgumentError for one of another form than the study has. */
export function outcomeOf(trial: Trial, value: unknown, { directions, constraints }: TunePlan): Outcome {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length !== directions.length || !values.every((each) => typeof each === "number")) {
    const expected = directions.length === 1 ? "a number" : `a list of ${directions.length} numbers`;
    throw new ArgumentError(`tune: trial ${trial.number}: expected ${expected} from the objective, got ${got(value)}`);
  }
  if (constraints > 0 && trial.constraintValues === undefined) {
    throw new ArgumentError(
      `tune: trial ${trial.number}: the search has ${constraints} constraints; call trial.constrain(…) before the objective returns`,
    );
  }
  if (values.some(Number.isNaN)) {
    const message = directions.length === 1 ? "the value is NaN" : `the values are ${values.join(", ")}`;
    return { state: "failed", error: { name: "NonFiniteError", message }, ...constraintsOf(trial) };
  }
  const state = values.every(Number.isFinite) ? "complete" : "infinite";
  return { state, values: values, ...constraintsOf(trial) };
}
