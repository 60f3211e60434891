// A saved model as a module: its forward plays the saved graph into the trace at hand, for whatever batch size comes. Products and
// convolutions with a parameter go the way that layers go, so that a parameter's parametrization is used here too.
import { ShapeError } from "../errors.js";
import type { NativeAttrs, NativeVariable } from "../native/index.js";
import type { OpName } from "../native/operations.js";
import { replaceInfo } from "../info/index.js";
import { init, Module, Buffer, type ForwardResult } from "../nn/index.js";
import { correlate } from "../ops/image.js";
import type { Conv2dGeometry } from "../tensor/parametrization.js";
import { countOf, NdArray, showShape } from "../tensor/nd-array.js";
import { Parameter, viewOf } from "../tensor/parameter.js";
import { noteInputs } from "../tensor/signature.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Trace } from "../tensor/trace.js";
import type { Manifest, SavedInput } from "./manifest.js";
import { allNodes } from "./training.js";
import { play, type PlayTarget } from "./player.js";
import type { SavedNode } from "./symbolic.js";

/** A model made of a saved graph; see {@link loadModel}. */
export class SavedModel<Result extends ForwardResult = Tensor> extends Module<Result> {
  override readonly preprocesses = true;
  /** @internal */
  readonly manifest: Manifest;
  private readonly weights: readonly Parameter[];
  // By the names in the file, which may be any: where among the weights, and constants.
  private readonly places: ReadonlyMap<string, number>;
  private readonly constants: ReadonlyMap<string, NdArray>;
  private readonly file: string;

  /** @internal Made by `artifact.loadModel`. */
  constructor(
    manifest: Manifest,
    variables: ReadonlyMap<string, NativeVariable>,
    masks: ReadonlyMap<string, Uint8Array>,
    file: string,
  ) {
    super();
    this.manifest = manifest;
    this.file = file;
    const weights: Parameter[] = [];
    const places = new Map<string, number>();
    const constants = new Map<string, NdArray>();
    const { training } = manifest;
    const graph = training && "nodes" in training ? training : undefined;
    const statistics = new Set(graph?.updates.map(({ tensor }) => tensor));
    for (const node of inOrder(manifest)) {
      const { tensor } = node;
      if (tensor === undefined || places.has(tensor) || constants.has(tensor)) continue;
      const values = take(variables.get(tensor)!);
      if (node.op === "constant") constants.set(tensor, values);
      else places.set(tensor, weights.push(parameterOf(node, values, masks.get(tensor), statistics.has(tensor))) - 1);
    }
    for (const variable of variables.values()) variable.dispose();
    this.weights = weights;
    this.places = places;
    this.constants = constants;
    this.assignNames();
    noteInputs(this, Object.fromEntries(manifest.inputs.map(({ name, dtype, shape }) => [name, { dtype, shape }])));
    replaceInfo(this, manifest.info);
  }

  override get kind(): string {
    return "savedModel";
  }

  override members(): [string, unknown][] {
    return [...this.places].map(([name, place]) => [name, this.weights[place]]);
  }

  /** @internal Constants of its graph, by the names in the file. */
  savedConstants(): ReadonlyMap<string, NdArray> {
    return this.constants;
  }

  override describe(): string {
    return this.file;
  }

  forward(x: Tensor, ...more: Tensor[]): Result {
    const given = [x, ...more];
    const { inputs, training } = this.manifest;
    const trained = x.trace.training && training && "nodes" in training ? training : undefined;
    const { nodes, outputs } = trained ?? this.manifest;
    if (given.length !== inputs.length) {
      throw new ShapeError(
        `savedModel: expected ${inputs.length} inputs (${inputs.map(({ name }) => name).join(", ")}), got ${given.length}`,
      );
    }
    inputs.forEach((input, i) => requireInput(input, given[i]!, x.shape[0]));
    const values = play(nodes, x.shape[0]!, this.targetIn(x.trace, given));
    for (const { tensor, value } of trained?.updates ?? []) {
      x.trace.update(this.weights[this.places.get(tensor)!]!, asTensor(values[value]!));
    }
    const results = outputs.map(({ name, value }) => [name, asTensor(values[value]!)] as const);
    return (results.length === 1 ? results[0]![1] : Object.fromEntries(results)) as Result;
  }

  private targetIn(trace: Trace, given: readonly Tensor[]): PlayTarget<Tensor | Parameter> {
    let taken = 0;
    return {
      input: () => given[taken++]!,
      scalar: (value, dtype) => trace.scalar(value, dtype),
      stored: ({ tensor }) => {
        const place = this.places.get(tensor!);
        return place === undefined ? trace.constant(this.constants.get(tensor!)!) : this.weights[place]!;
      },
      apply(node, inputs, attrs) {
        const run = () => apply(trace, node.op as OpName, inputs, attrs);
        return node.scope ? trace.scoped(node.scope, run) : run();
      },
    };
  }
}

// A product with a parameter goes the way of a layer's.
function apply(
  trace: Trace,
  op: OpName,
  inputs: readonly (Tensor | Parameter)[],
  attrs: Record<string, NativeAttrs[string]>,
): Tensor[] {
  const [first, second] = inputs;
  if (op === "matmul" && second instanceof Parameter) {
    return [asTensor(first!).matmul(second, { transA: attrs.trans_a === true, transB: attrs.trans_b === true })];
  }
  if (op === "conv2d" && second instanceof Parameter) {
    return [correlate(asTensor(first!), second, attrs as unknown as Conv2dGeometry)];
  }
  const tensors = inputs.map(asTensor);
  if (op === "batch_norm") requireVariance(tensors[0]!);
  if (op === "random_uniform") attrs.key = trace.nextStream();
  return trace.applyAll(op, tensors, attrs);
}

function requireInput({ name, dtype, shape }: SavedInput, x: Tensor, batch: number | undefined): void {
  const [own, ...rest] = x.shape;
  if (own !== undefined && own === batch && x.dtype === dtype && showShape(rest) === showShape(shape)) return;
  const sample = showShape(shape).slice(1);
  throw new ShapeError(
    `savedModel: expected ${name === "x" ? "" : `"${name}" `}${dtype} [batch${shape.length > 0 ? ", " : ""}${sample}, got ${x.dtype} ${showShape(x.shape)}`,
  );
}

const asTensor = (value: Tensor | Parameter): Tensor => (value instanceof Parameter ? value.tensor() : value);

function take(variable: NativeVariable): NdArray {
  const { dtype, shape } = variable.type;
  return new NdArray(viewOf(dtype, variable.read()), shape, dtype);
}

// Parameters in the order of the saved model's layers, which is that of an optimizer's sums; what it does not list comes after.
function inOrder(manifest: Manifest): SavedNode[] {
  const places = new Map(manifest.weights?.map(({ name }, i) => [name, i]));
  const placeOf = ({ tensor = "" }: SavedNode): number =>
    places.get(tensor) ?? places.get(tensor.slice(0, Math.max(0, tensor.lastIndexOf(".")))) ?? Infinity;
  const placed = allNodes(manifest).map((node) => [node, placeOf(node)] as const);
  return placed.sort(([, a], [, b]) => (a === b ? 0 : a - b)).map(([node]) => node);
}

function requireVariance(x: Tensor): void {
  if (countOf(x.shape) > x.shape[1]!) return;
  throw new ShapeError(
    `batchNorm: one value a channel has no variance to train with, got ${showShape(x.shape)}; use a larger batch`,
  );
}

function parameterOf(node: SavedNode, values: NdArray, mask: Uint8Array | undefined, isStatistic: boolean): Parameter {
  const { dtype } = values;
  const parameter = isStatistic
    ? new Buffer(values.shape, init.zeros())
    : new Parameter(values.shape, { dtype, trainable: dtype === "f32" && node.frozen !== true });
  parameter.write(values);
  if (mask) parameter.setMask(mask);
  return parameter;
}
