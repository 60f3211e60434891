// Scales, tables and static inputs of packed weights: quantization makes none that is not a number, so that one in a file is damage,
// or somebody's trick, and would turn whole rows of results into NaN.
import { CorruptFileError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import { Module } from "../nn/index.js";
import { firstNonFinite, placeOf, requireFiniteParameters } from "../tensor/finite.js";
import { viewOf } from "../tensor/parameter.js";
import type { StoredTensor } from "../native/index.js";
import type { SavedNode } from "./symbolic.js";

const integers = new Set(["quantized_matmul", "quantized_conv2d"]);

/** Notes the tensors that a product with a packed weight reads beside its input and its codes. */
export class PackedParts {
  private readonly names = new Map<number, string>(); // of the graph's values
  readonly tensors = new Set<string>();

  /** Takes in a node with the values that it reads and gives. */
  note({ op, tensor }: SavedNode, inputs: readonly number[], outputs: readonly number[]): void {
    if (tensor !== undefined && outputs.length === 1) this.names.set(outputs[0]!, tensor);
    if (!integers.has(op)) return;
    for (const value of inputs.slice(2)) {
      const name = this.names.get(value);
      if (name !== undefined) this.tensors.add(name);
    }
  }

  /** @throws CorruptFileError for the first that is NaN or infinite. */
  check(where: string, weightsFile: string, stored: ReadonlyMap<string, StoredTensor<ArrayBuffer>>): void {
    for (const name of this.tensors) {
      const tensor = stored.get(name);
      if (!tensor) continue;
      const data = viewOf(tensor.dtype as DType, tensor.data);
      const at = firstNonFinite(data);
      if (at < 0) continue;
      throw new CorruptFileError(
        `${where}: "${weightsFile}" is damaged: "${name}"[${placeOf(at, tensor.shape).join(", ")}] of a packed weight is NaN or infinite; quantize the model again`,
      );
    }
  }
}

/** What loading would refuse is not saved. @throws NonFiniteError for a part of a packed weight that is not finite. */
export async function requireFiniteParts(where: string, model: unknown): Promise<void> {
  if (!(model instanceof Module)) return;
  const parts = model.namedWeights().flatMap(({ name, parameter }) =>
    parameter.parametrization?.packed
      ? Object.entries(parameter.parametrization.parts)
          .filter(([part]) => ["scale", "table", "act"].includes(part))
          .map(([part, held]) => ({ name: `${name}.${part}`, parameter: held }))
      : [],
  );
  await requireFiniteParameters(where, parts);
}
