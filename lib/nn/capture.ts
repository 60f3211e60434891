// What the layers of a model give on the way to its result, by path: for losses on features, and to look inside.
import { requireFields } from "../guidance/arguments.js";
import { ArgumentError, nearestName } from "../errors.js";
import { requireTensor } from "../ops/require.js";
import type { Tensor } from "../tensor/tensor.js";
import { call, labels, Module, requireModule, type ModuleLike } from "./module.js";

/** What {@link capture} gives. */
export interface Captured {
  readonly output: Tensor;
  /** What every layer gave, by its path in the model, such as `"blocks.1.norm"`; `""` is the model itself. */
  readonly layers: ReadonlyMap<string, Tensor>;
}

/**
 * The result of a model for an input, and what each of its layers gave on the way, by path. Of a layer that is called more than
 * once the last result counts. Plain functions are seen where they are layers of a sequence.
 *
 * @throws ArgumentError for anything but a module or function.
 * @example
 * const model = nn.sequential(nn.linear(4, 3), nn.relu());
 * const f = compile((x: Tensor) => nn.capture(model, x).layers.get("0")!);
 * (await f.run(array([1, 2, 3, 4], [1, 4]))).shape; // [1, 3]
 */
export function capture(model: ModuleLike, x: Tensor): Captured {
  requireModule("nn.capture", model);
  requireTensor("nn.capture", "the input", x);
  const { result, layers } = asRoot(model, () => x.trace.capture(() => call(model, x)));
  return { output: result, layers: new Map([...layers, ["", result]]) };
}

// A part of a model that was traced before has a name of its own, which is no part of the paths within it.
function asRoot<T>(model: ModuleLike, body: () => T): T {
  const label = model instanceof Module ? labels.get(model) : undefined;
  if (!(model instanceof Module) || label === undefined) return body();
  labels.delete(model);
  try {
    return body();
  } finally {
    labels.set(model, label);
  }
}

/** The tensor of a layer among those captured. @throws ArgumentError naming the layers there are */
export function layerOf(where: string, captured: Captured, path: string): Tensor {
  requireFields(where, captured, ["layers", "output"], "what nn.capture gives");
  const { layers } = captured;
  const found = layers.get(path);
  if (found) return found;
  const known = [...layers.keys()].filter((name) => name !== "");
  const near = nearestName(path, known);
  const list = known.slice(0, 12).map((name) => `"${name}"`);
  const there = known.length === 0 ? "no named layers" : `${list.join(", ")}${known.length > 12 ? ", …" : ""}`;
  throw new ArgumentError(
    `${where}: there is no layer "${path}"${near === undefined ? "" : `, did you mean "${near}"?`} (the model has ${there}, and "" is its output)`,
  );
}
