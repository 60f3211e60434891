// State that a layer keeps up itself while it is trained, such as running means.
import { Parameter, type Fill } from "../tensor/parameter.js";
import type { Shape } from "../tensor/nd-array.js";

/** A parameter that no optimizer changes, frozen or not; it is saved and loaded with the model like any other. */
export class Buffer extends Parameter {
  constructor(shape: Shape, fill: Fill) {
    super(shape, { fill, trainable: false });
  }
}
