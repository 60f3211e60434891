// Packed weights of a loaded model as masked ones again: the file has a bitmap and the values that are left, and operations that read
// both. In their place come a weight with a mask and the plain products, which pruning and quantization know.
import { ArgumentError } from "../errors.js";
import { SavedModel } from "../artifact/index.js";
import { addon, call, type NativeVariable } from "../native/index.js";
import { Module } from "../nn/module.js";
import { countOf, type NdArray, type Shape } from "../tensor/nd-array.js";
import { matrixOf } from "./structure.js";
import { got } from "../names/got.js";

const where = "prune.unpack";

type Node = SavedModel["manifest"]["nodes"][number];

/**
 * The same model with its packed weights as masked ones, so that it can be pruned further or quantized: zeros stay zero. A model
 * without packed weights comes back as it is.
 *
 * @throws ArgumentError for a model that was packed in this process; keep the one that `prune` gave instead.
 * @example
 * const masked = prune.unpack(await artifact.loadModel("out/pruned"));
 * const small = await quantize(masked, quantize.int8());
 */
export function unpack<M extends Module>(model: M): M {
  if (!(model instanceof Module)) throw new ArgumentError(`${where}: expected a module, got ${got(model)}`);
  if (!(model instanceof SavedModel)) {
    const packed = model.namedWeights().find(({ parameter }) => parameter.parametrization?.kind === "sparse");
    if (!packed) return model;
    throw new ArgumentError(`${where}: "${packed.name}" was packed in this process; take the model that prune gave, before prune.pack`); // prettier-ignore
  }
  const { manifest } = model;
  const held = new Map(model.namedWeights().map(({ name, parameter }) => [name, parameter.readSync()]));
  const shapes = new Map(
    (manifest.weights ?? [])
      .filter(({ name, kind }) => kind === "sparse" && held.has(`${name}.bitmap`) && held.has(`${name}.values`))
      .map(({ name, shape }) => [name, shape]),
  );
  if (shapes.size === 0) return model;
  const dense = new Map([...shapes].map(([name, shape]) => [name, expand(shape, held.get(`${name}.bitmap`)!, held.get(`${name}.values`)!)])); // prettier-ignore
  const masks = new Map([...dense].map(([name, { mask }]) => [name, mask]));
  for (const { name, parameter } of model.namedWeights()) {
    const mask = parameter.readMask();
    if (mask) masks.set(name, mask);
  }
  const variables = new Map<string, NativeVariable>();
  for (const { name, dtype, shape, data } of [...others(model, held, shapes), ...[...dense].map(([name, { values }]) => ({ name, dtype: "f32" as const, shape: shapes.get(name)!, data: values }))]) {
    const variable = call(() => new addon.Variable(dtype, shape, name));
    call(() => variable.write(data));
    variables.set(name, variable);
  }
  const nodes = rewritten(manifest.nodes, shapes);
  const weights = manifest.weights!.map((weight) => (shapes.has(weight.name) ? { ...weight, kind: "f32" } : weight));
  return new SavedModel({ ...manifest, nodes, weights }, variables, masks, model.describe()) as unknown as M;
} // prettier-ignore

/** What stays as it is: parameters, and constants of the graph. */
function others(model: SavedModel, held: ReadonlyMap<string, NdArray>, shapes: ReadonlyMap<string, Shape>) {
  const packed = new Set([...shapes.keys()].flatMap((name) => [`${name}.bitmap`, `${name}.values`]));
  const all = [...held, ...model.savedConstants()].filter(([name]) => !packed.has(name));
  return all.map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, data }));
}

function expand(shape: Shape, bitmap: NdArray, kept: NdArray): { values: Float32Array; mask: Uint8Array } {
  const [rows, inputs] = matrixOf(shape);
  const stride = bitmap.shape[1]!;
  const values = new Float32Array(countOf(shape));
  const mask = new Uint8Array(values.length);
  for (let row = 0, next = 0; row < rows; row++) {
    for (let k = 0; k < inputs; k++) {
      if (((bitmap.data[row * stride + (k >> 3)]! >> (k & 7)) & 1) === 0) continue;
      values[row * inputs + k] = kept.data[next++]!;
      mask[row * inputs + k] = 1;
    }
  }
  return { values, mask };
}

/** The nodes with the weight where its bitmap and its values were, and the products of that weight. */
function rewritten(nodes: readonly Node[], shapes: ReadonlyMap<string, Shape>): Node[] {
  const partOf = (node: Node, part: string) => {
    const name = node.tensor?.endsWith(`.${part}`) ? node.tensor.slice(0, -part.length - 1) : undefined;
    return name !== undefined && shapes.has(name) ? name : undefined;
  };
  return nodes.map((node): Node => {
    const weight = partOf(node, "bitmap");
    if (weight !== undefined) {
      const { frozen: _, ...rest } = node;
      return { ...rest, type: { dtype: "f32", shape: shapes.get(weight)! }, tensor: weight };
    }
    const name = partOf(node, "values");
    if (name !== undefined) return { op: "parameter", type: { dtype: "f32", shape: shapes.get(name)! }, tensor: name }; // nothing reads it
    const { attrs = {}, inputs = [] } = node;
    if (node.op === "sparse_matmul") {
      return { ...node, op: "matmul", inputs: inputs.slice(0, 2), attrs: { trans_a: false, trans_b: true } };
    }
    if (node.op === "sparse_matmul_grad_input") {
      return { ...node, op: "matmul", inputs: inputs.slice(0, 2), attrs: { trans_a: false, trans_b: false } };
    }
    if (node.op !== "sparse_conv2d") return node;
    const { kernel: _, ...geometry } = attrs;
    return { ...node, op: "conv2d", inputs: inputs.slice(0, 2), attrs: geometry };
  });
}
