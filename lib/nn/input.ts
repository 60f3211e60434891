// How a model reads what it is fed: one rule, applied where training, prediction and saved models hand their input over.
import type { Tensor } from "../tensor/tensor.js";
import { call, Module, type ModuleLike } from "./module.js";

/**
 * u8 inputs are pixels: read as f32 from 0 to 1, value / 255. Any other input is taken as it is; numbers of tokens or classes
 * go in as i32.
 *
 * @example
 * const f = compile((x: Tensor) => nn.asInput(x));
 * (await f.run(array(Uint8Array.of(0, 255)))).toArray(); // [0, 1]
 */
export function asInput(x: Tensor): Tensor {
  return x.dtype === "u8" ? x.cast("f32").div(255) : x;
}

/** An input as it is stored, u8 pixels included, as the model takes it. A saved model has the reading of pixels in its graph. */
export function inputFor(model: ModuleLike, x: Tensor): Tensor {
  return model instanceof Module && model.readsPixels ? x : asInput(x);
}

/** A model's result for an input as it is stored. */
export function feed(model: ModuleLike, x: Tensor): Tensor {
  return call(model, inputFor(model, x));
}
