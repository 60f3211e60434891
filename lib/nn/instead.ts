// What to write instead of what newcomers write: the ends of the errors of modules.
import { isClass } from "../names/got.js";

/** What to do with input that is not f32, for the errors of layers. */
export const asFloat32 =
  'cast("f32") it in a function of your own, or feed floats: array(Float32Array.from(values), shape)';

/** For what stands where a module should; `made` is what an uncalled factory asks for. */
export function moduleInstead(value: unknown, instead: string | undefined): string {
  if (instead !== undefined) return `; ${instead}`;
  if (isClass(value)) return "; make one: new …()";
  if (Array.isArray(value)) return "; spread the list: nn.sequential(...layers)";
  if (typeof value === "string") return "; layers are made by functions of nn, such as nn.relu()";
  if (value === undefined) return "; is its name misspelt?";
  if (typeof value !== "object" || value === null) return "";
  if ("predict" in value && "readWeight" in value)
    return "; artifact.loadModel(path) gives a model that can be trained on";
  return "x" in value && "y" in value ? "; the model comes first, then the data" : "";
}

/** For what a function returned where a tensor should have come. */
export function resultInstead(y: unknown): string {
  if (y === undefined) return "; is a return missing?";
  if (typeof y !== "object" || y === null) return "";
  if ("forward" in y) return "; call the function that makes the layer, and hand over what it gives";
  return "then" in y ? "; a traced function is not async" : "";
}

const training =
  "write train.fit(model, { x, y }, { loss: loss.crossEntropy(), optimizer: optim.adamW({ lr: 1e-3 }) })";
const prediction = "write await train.predict(model, x)";
const mode = "leave it out: train.fit and train.step train, train.predict, train.evaluate and compile use";
const device = "leave it out: everything runs on the processor";

/** Methods of models elsewhere, with what stands for them here. */
export const methodsElsewhere = {
  fit: training,
  compile: `loss and optimizer are given to the run: ${training}`,
  predict: prediction,
  call: prediction,
  run: prediction,
  evaluate:
    "write await train.evaluate(model, { x, y }, { loss: loss.crossEntropy(), metrics: { accuracy: metrics.accuracy() } })",
  train: mode,
  eval: mode,
  add: "give all layers at once: nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 3))",
  save: "write await artifact.save(model, path)",
  load: "write await artifact.loadModel(path)",
  to: device,
  cuda: device,
  zeroGrad:
    "leave it out: train.step(model, optimizer, ({ x, y }) => loss.mse()(model.forward(x), y)) takes gradients and steps by itself",
  getWeights: "write model.stateDict()",
  setWeights: "write model.loadStateDict(values)",
};
