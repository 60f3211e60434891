// What a command can do with an artifact hangs on how its weights are held.
import { SavedModel } from "../artifact/index.js";
import { ArgumentError } from "../errors.js";
import type { Module } from "../nn/index.js";

/** @throws ArgumentError for a model of quantized weights, which have no floats to choose among or to round again. */
export function refuseQuantized(command: "prune" | "quantize", path: string, model: Module): void {
  if (!(model instanceof SavedModel) || !model.manifest.nodes.some(({ op }) => op.startsWith("quantized_"))) return;
  const way =
    command === "prune"
      ? `prune the artifact that it was made of, then quantize the result: athanor prune <that> -o out/pruned …; athanor quantize out/pruned -o out/small …`
      : "quantize the artifact that it was made of";
  throw new ArgumentError(`${command}: ${path} holds quantized weights; ${way}`);
}
