// Results as names of classes with probabilities: softmax in float64 over the last dimension, the logistic function for one column.
import { ArgumentError, ShapeError } from "../errors.js";
import type { OutputInfo } from "../info/index.js";
import { showShape, type NdArray } from "../tensor/nd-array.js";

/** A class with the probability that the model gives it. */
export interface ClassProbability {
  readonly class: string;
  /** From 0 to 1; over all classes they sum to 1. */
  readonly probability: number;
}

/** The most probable classes of every sample, best first. @throws ArgumentError, ShapeError for a model that does not classify */
export async function rankedClasses(
  where: string,
  info: OutputInfo,
  scores: NdArray,
  top: number,
): Promise<ClassProbability[][]> {
  const classes = classesOf(where, info, scores);
  const rows = scores.shape[0]!;
  const columns = scores.size / Math.max(1, rows);
  const ranked: ClassProbability[][] = [];
  let until = performance.now() + 4;
  for (let row = 0; row < rows; row++) {
    const probabilities = probabilitiesOf(scores.data.subarray(row * columns, (row + 1) * columns), info.scores);
    ranked.push(best(classes, probabilities, top));
    if (performance.now() < until) continue;
    await new Promise((resolve) => setImmediate(resolve));
    until = performance.now() + 4;
  }
  return ranked;
}

function classesOf(where: string, { task, classes }: OutputInfo, { shape, dtype }: NdArray): readonly string[] {
  if (task === "regression") {
    throw new ArgumentError(`${where}: the model gives numbers (its task is regression), not classes; use predict`);
  }
  const columns = shape[1] ?? 1;
  if (shape.length > 2 || (dtype !== "f32" && dtype !== "f64")) {
    throw new ShapeError(
      `${where}: expected scores f32 [batch, classes] from the model, got ${dtype} ${showShape(shape)}; use predict`,
    );
  }
  const names = classes ?? Array.from({ length: Math.max(2, columns) }, (_, i) => String(i));
  return names;
}

function probabilitiesOf(scores: ArrayLike<number>, kind: OutputInfo["scores"]): Float64Array {
  const given = Float64Array.from(scores);
  if (given.length === 1) {
    const second = kind === "probabilities" ? given[0]! : 1 / (1 + Math.exp(-given[0]!));
    return Float64Array.of(1 - second, second);
  }
  if (kind === "probabilities") return given;
  let largest = -Infinity;
  for (const score of given) if (score > largest) largest = score;
  let sum = 0;
  for (let i = 0; i < given.length; i++) sum += given[i] = Math.exp(given[i]! - largest);
  for (let i = 0; i < given.length; i++) given[i]! /= sum;
  return given;
}

function best(classes: readonly string[], probabilities: Float64Array, top: number): ClassProbability[] {
  const named = (i: number): ClassProbability => ({ class: classes[i]!, probability: probabilities[i]! });
  if (top === 1) {
    let at = 0;
    for (let i = 1; i < probabilities.length; i++) if (probabilities[i]! > probabilities[at]!) at = i;
    return [named(at)];
  }
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
  return order.slice(0, top).map(named);
}
