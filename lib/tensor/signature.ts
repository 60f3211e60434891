// What a model was last fed: training and prediction note it, so that saving needs no example input.
import type { DType } from "./dtype.js";
import type { Shape } from "./nd-array.js";

/** Element type and shape of one sample (without the batch dimension). */
export interface InputSignature {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Inputs by name, in the order in which the model's `forward` takes them. */
export type InputSignatures = Readonly<Record<string, InputSignature>>;

const signatures = new WeakMap<object, InputSignatures>();

/** Notes that `model` takes such inputs; one alone is called `x`. */
export function noteInput(model: object, signature: InputSignature): void {
  signatures.set(model, { x: signature });
}

/** Notes that `model` takes several inputs. */
export function noteInputs(model: object, inputs: InputSignatures): void {
  signatures.set(model, inputs);
}

/** What was noted last, if anything, for a model with one input. */
export function inputOf(model: object): InputSignature | undefined {
  const all = Object.values(signatures.get(model) ?? {});
  return all.length === 1 ? all[0] : undefined;
}

/** What was noted last, if anything. */
export function inputsOf(model: object): InputSignatures | undefined {
  return signatures.get(model);
}
