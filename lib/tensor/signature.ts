// What a model was last fed: training and prediction note it, so that saving needs no example input.
import type { DType } from "./dtype.js";
import type { Shape } from "./nd-array.js";

/** Element type and shape of one sample (without the batch dimension). */
export interface InputSignature {
  readonly dtype: DType;
  readonly shape: Shape;
}

const signatures = new WeakMap<object, InputSignature>();

/** Notes that `model` takes such inputs. */
export function noteInput(model: object, signature: InputSignature): void {
  signatures.set(model, signature);
}

/** What was noted last, if anything. */
export function inputOf(model: object): InputSignature | undefined {
  return signatures.get(model);
}
