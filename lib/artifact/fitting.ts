// Whether what is known of a model fits its graph: names of classes its results, rules of preprocessing its inputs.
import { ArgumentError } from "../errors.js";
import type { ModelInfo, OutputInfo } from "../info/index.js";
import { tableFeatures } from "../preprocess/index.js";
import { showShape, type Shape } from "../tensor/nd-array.js";
import type { SavedInput } from "./manifest.js";

/** A result with the shape that it has for one sample. */
export interface ResultShape {
  readonly name: string;
  /** Batch dimension included. */
  readonly shape: Shape;
}

/** @throws ArgumentError naming the field and the two numbers that disagree */
export function requireFitting(
  where: string,
  info: ModelInfo,
  inputs: readonly SavedInput[],
  outputs: readonly ResultShape[],
): void {
  for (const [name, rule] of Object.entries(info.preprocessing ?? {})) {
    const input = inputs.find((one) => one.name === name);
    if (!input) {
      const names = inputs.map((one) => `"${one.name}"`).join(", ");
      throw new ArgumentError(`${where}: there is preprocessing for "${name}", the model has the inputs ${names}`);
    }
    if (rule.kind !== "table") continue;
    const features = tableFeatures(rule).length;
    if (input.dtype === "f32" && input.shape.length === 1 && input.shape[0] === features) continue;
    throw new ArgumentError(
      `${where}: the rule for "${name}" makes rows of ${features} features, the model takes ${input.dtype} ${showShape(input.shape)}`,
    );
  }
  const other = Object.keys(info.outputs ?? {}).find((name) => !outputs.some((one) => one.name === name));
  if (other !== undefined) {
    const names = outputs.map((one) => `"${one.name}"`).join(", ");
    throw new ArgumentError(`${where}: something is said of the output "${other}", the model has ${names}`);
  }
  for (const { name, shape } of outputs)
    requireClasses(where, info.outputs?.[name] ?? (outputs.length === 1 ? info : {}), name, shape);
}

// One column is the score of the second of two classes.
function requireClasses(where: string, { classes }: OutputInfo, name: string, shape: Shape): void {
  if (!classes) return;
  const columns = shape.length < 2 ? 1 : shape.at(-1)!;
  if (columns === classes.length || (columns === 1 && classes.length === 2)) return;
  throw new ArgumentError(
    `${where}: there are ${classes.length} classes, the model's result "${name}" has ${columns} ${columns === 1 ? "column" : "columns"}`,
  );
}

/** What is known of a model, with what its graph tells: whether results are probabilities. */
export function infoForFile(info: ModelInfo, results: readonly { name: string; op: string }[]): ModelInfo {
  const told = ({ scores, ...rest }: OutputInfo, op: string): OutputInfo => {
    const known = scores ?? (op === "softmax" || op === "sigmoid" ? "probabilities" : undefined);
    return { ...rest, ...(known && { scores: known }) };
  };
  if (results.length === 1) return { ...info, ...told(info, results[0]!.op) };
  const outputs = Object.fromEntries(results.map(({ name, op }) => [name, told(info.outputs?.[name] ?? {}, op)]));
  return { ...info, outputs };
}
