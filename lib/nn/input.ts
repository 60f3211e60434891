// How a model reads what it is fed: one rule, applied where training, prediction and saved models hand their input over.
import { requireFields } from "../guidance/arguments.js";
import { infoOf } from "../info/index.js";
import { normalize, type Preprocessing } from "../preprocess/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { call, Module, requireModule, type ForwardResult, type ModelLike, type ModuleLike } from "./module.js";
import { requireTensor } from "../ops/require.js";

/**
 * An input as it is stored, as the model takes it: by the rule that the model knows (`model.info.preprocessing`), else as it is,
 * bytes as the numbers 0 to 255. A saved model has the rule in its graph.
 *
 * @param otherwise the rule for a model that knows none.
 */
export function inputFor(model: ModelLike, x: Tensor, name = "x", otherwise?: Preprocessing): Tensor {
  if (!(model instanceof Module) && typeof model !== "function") requireModule("nn.feed", model);
  requireTensor("nn.feed", name, x);
  if (model instanceof Module && model.preprocesses) return x;
  const rule = infoOf(model).preprocessing?.[name] ?? otherwise;
  if (rule?.kind === "normalize") return normalize(rule, x);
  return x.dtype === "u8" ? x.cast("f32") : x;
}

/**
 * A model's result for an input as it is stored: what training, evaluation and saving compute.
 *
 * @example
 * const model = nn.sequential(nn.flatten()).setInfo({ preprocessing: { kind: "normalize", divide: 255 } });
 * const f = compile((x: Tensor) => nn.feed(model, x));
 * (await f.run(array(Uint8Array.of(0, 255), [1, 2]))).toArray(); // [[0, 1]]
 */
export function feed(model: ModuleLike, x: Tensor, otherwise?: Preprocessing): Tensor {
  return call(model, inputFor(model, x, "x", otherwise));
}

/** The results of a model of several inputs, given by name in the order in which its `forward` takes them. */
export function feedAll(model: ModelLike, inputs: Readonly<Record<string, Tensor>>): ForwardResult {
  if (!(model instanceof Module) && typeof model !== "function") requireModule("nn.feedAll", model);
  requireFields("nn.feedAll", inputs, [], "tensors by the names of the inputs, such as { x }");
  const [x, ...more] = Object.entries(inputs).map(([name, input]) => inputFor(model, input, name));
  return model instanceof Module ? model.forward(x!, ...more) : model(x!, ...more);
}
