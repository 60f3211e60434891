// What a model's parameters are: names, shapes, parametrizations, and how many of their elements are not zero, counted by the engine.
import { compile } from "../tensor/compile.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import type { SavedWeight } from "./manifest.js";

/** Describes parameters, each by the value that its parametrization gives. */
export async function describeWeights(parameters: readonly Parameter[]): Promise<SavedWeight[]> {
  if (parameters.length === 0) return [];
  using program = compile(() => parameters.map((parameter) => nonzeros(parameter.tensor())));
  const counts = await program.run();
  return parameters.map(({ name, shape, dtype, parametrization }, i) => {
    return { name, shape, kind: parametrization?.kind ?? dtype, nonzero: counts[i]!.item() };
  });
}

function nonzeros(values: Tensor): Tensor {
  const comparable = values.dtype === "f32" || values.dtype === "f64" ? values : values.cast("f32");
  return count(comparable.ne(0));
}

/** How many are true. In f64: a sum of ones in f32 stops at 2²⁴. */
export function count(flags: Tensor): Tensor {
  return flags.cast("f64").sum();
}
