// From masks to sparse weights.
import { ArgumentError } from "../errors.js";
import { recordStep } from "../info/index.js";
import { Embedding } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import { requireSound } from "../nn/sound.js";
import { keptElements, keptPositions, packMask } from "../ops/bits.js";
import { compile } from "../tensor/compile.js";
import { array } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import { currentTrace } from "../tensor/trace.js";
import { ZeroParametrization } from "../tensor/zero-parametrization.js";
import { SparseParametrization } from "./sparse-parametrization.js";
import { matrixOf } from "./structure.js";

const where = "prune.pack";

/**
 * A clone of a pruned model that holds its masked weights without their zeros: a bitmap and the values that are left. It takes
 * less memory and smaller files, runs through the sparse kernels where they are the faster ones, and can be trained on: the
 * pattern stays, the values change. Of a weight that is masked wholly nothing is kept. Masks that would not make a weight smaller stay masks.
 *
 * @throws ArgumentError if no weight has a mask; NonFiniteError for a weight that is not finite.
 * @example
 * const pruned = await prune(nn.linear(64, 32), { amount: 0.9 });
 * const packed = await prune.pack(pruned);
 * packed.weight.parametrization?.parts.values?.size; // 205
 */
export async function pack<M extends Module>(model: M): Promise<M> {
  if (!(model instanceof Module)) throw new ArgumentError(`${where}: expected a module, got ${typeof model}`);
  const masked = model.namedWeights().filter(({ parameter }) => parameter.mask);
  if (masked.length === 0) {
    throw new ArgumentError(
      `${where}: no weight of the model has a mask; prune it first, prune(model, { amount: 0.9 })`,
    );
  }
  await requireSound(where, model, []);
  const clone = model.clone().assignNames();
  try {
    // Tables are read by rows, which a bitmap cannot give.
    const tables = new Set(clone.namedModules().flatMap(({ module: m }) => (m instanceof Embedding ? [m.weight] : [])));
    for (const { parameter } of clone.namedWeights()) {
      if (parameter.mask && parameter.shape.length >= 2 && !tables.has(parameter)) await packWeight(parameter);
    }
    recordStep(clone, "pack", {}, clone.info.metrics);
    return clone;
  } catch (thrown) {
    clone.dispose();
    throw thrown;
  }
}

async function packWeight(parameter: Parameter): Promise<void> {
  const mask = parameter.readMask()!;
  const kept = await keptPositions(mask);
  const [rows, inputs] = matrixOf(parameter.shape);
  if (kept.length === 0) {
    parameter.setParametrization(new ZeroParametrization(parameter.shape));
    return;
  }
  const stride = Math.ceil(inputs / 8);
  if (rows * stride + 4 * kept.length >= 4 * parameter.size) return;
  const bitmap = new Parameter([rows, stride], { dtype: "u8", trainable: false });
  const values = new Parameter([kept.length], { trainable: parameter.trainable });
  const program = compile(
    () => {
      const trace = currentTrace(where);
      trace.update(values, keptElements(trace.parameter(parameter), kept));
      trace.update(bitmap, packMask(trace.constant(array(mask, [rows, inputs]))));
      return {};
    },
    { name: where },
  );
  try {
    await program.run();
  } finally {
    program.dispose();
  }
  parameter.setParametrization(new SparseParametrization(parameter.shape, { bitmap, values }));
}
