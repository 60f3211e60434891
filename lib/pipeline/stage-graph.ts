// A traced training step divided in stages. The forward graph is copied with the number of its stage written into the scope of every node;
// the engine differentiates the copy and gives each node of the backward pass the scope of the node that it comes from. So the
// whole step is one graph whose nodes know their stages, and the numbers that it computes do not depend on where it is cut.
import { addon, call, type NativeGraph, type NativeNode, type NativeVariable, type ValueId } from "../native/index.js";
import type { OpName } from "../native/operations.js";
import { viewOf } from "../tensor/parameter.js";

/** A graph as plain data; see `NativeGraph.describe`. */
export interface PlainGraph {
  readonly nodes: readonly NativeNode[];
  readonly outputs: readonly { readonly name: string; readonly value: ValueId }[];
}

/** What the steps of a node are for. */
export type Part = "forward" | "backward";

/** A node of the divided step. */
export interface StageNode {
  readonly node: NativeNode;
  /** Its first value. */
  readonly first: ValueId;
  readonly stage: number;
  readonly part: Part;
  /** Where in the user's model it was traced. */
  readonly scope: string;
  /** Inputs of the program, parameters and constants: there wherever they are needed. */
  readonly isSource: boolean;
  /** Made of parameters and constants alone, or random: computed again wherever it is needed, and not sent. */
  readonly isFree: boolean;
}

/** A step, divided. */
export interface StageGraph {
  readonly stages: number;
  readonly nodes: readonly StageNode[];
  /** The node that makes a value, by value. */
  readonly producer: readonly StageNode[];
  /** Bytes of every value. */
  readonly bytes: readonly number[];
  readonly types: readonly { readonly dtype: string; readonly shape: readonly number[] }[];
  /** "loss", "#count" where the loss counts rows, and the new values of running statistics. */
  readonly outputs: ReadonlyMap<string, ValueId>;
  /** Of the trained parameters, in the order of the optimizer. */
  readonly gradients: readonly ValueId[];
}

const sizes: Readonly<Record<string, number>> = { f32: 4, f64: 8, i32: 4, u8: 1, bool: 1, bf16: 2 };

/** Bytes of a value. */
export const bytesOf = ({ dtype, shape }: { readonly dtype: string; readonly shape: readonly number[] }): number =>
  sizes[dtype]! * shape.reduce((a, b) => a * b, 1);

/** Appends a node to another graph; its values there. Inputs of the program are `input`'s. */
export function appendNode(
  graph: NativeGraph,
  node: NativeNode,
  inputs: readonly ValueId[],
  scope: string,
): readonly ValueId[] {
  graph.setScope(scope);
  if (node.op === "input") return [graph.input(node.attrs.name as string, node.type!.dtype, node.type!.shape)];
  if (node.op === "parameter") return [graph.parameter(node.variable!)];
  if (node.op === "constant") {
    return [graph.constant(node.type!.dtype, node.type!.shape, viewOf(node.type!.dtype, node.constant!))];
  }
  if (node.group) {
    const { resource: _, ...attrs } = node.attrs; // the number of the group in the other graph
    return [graph.collective(node.op as OpName, node.group, inputs, attrs)];
  }
  const first = graph.apply(node.op as OpName, inputs, node.attrs);
  return Array.from({ length: graph.valueCount() - first }, (_, i) => first + i);
}

/**
 * Differentiates a forward graph that is cut in stages.
 *
 * @param forward outputs: "loss" and what is kept beside it.
 * @param stageOfNode the stage of every node, which never falls.
 * @param parameters what the loss is differentiated by.
 */
export function divideGraph(
  forward: PlainGraph,
  stageOfNode: readonly number[],
  stages: number,
  parameters: readonly NativeVariable[],
): StageGraph {
  const joint = new addon.Graph();
  try {
    const described = call(() => {
      const values = replay(joint, forward, (node, i) => `${stageOfNode[i]}|${node.scope}`);
      joint.setScope(`${stages - 1}|`);
      const outputs = forward.outputs.map(({ name, value }) => [name, values[value]!] as const);
      const loss = outputs.find(([name]) => name === "loss")![1];
      const gradients = joint.gradients(
        loss,
        parameters.map((variable) => joint.parameter(variable)),
      );
      joint.setOutputs(
        [...outputs.map(([name]) => name), ...gradients.map((_, i) => `#d${i}`)],
        [...outputs.map(([, value]) => value), ...gradients],
      );
      return joint.describe();
    });
    return withStages(described, stages, parameters.length);
  } finally {
    joint.dispose();
  }
}

function replay(graph: NativeGraph, plain: PlainGraph, scope: (node: NativeNode, i: number) => string): ValueId[] {
  const values: ValueId[] = [];
  plain.nodes.forEach((node, i) => {
    const inputs = node.inputs.map((value) => values[value]!);
    values.push(...appendNode(graph, node, inputs, scope(node, i)));
  });
  return values;
}

const sources = new Set(["input", "parameter", "constant"]);

function withStages(plain: PlainGraph, stages: number, trained: number): StageGraph {
  const types = typesOf(plain);
  const isForward = ancestors(
    plain,
    plain.outputs.slice(0, plain.outputs.length - trained).map(({ value }) => value),
  );
  const nodes: StageNode[] = [];
  const producer: StageNode[] = [];
  let first = 0;
  plain.nodes.forEach((node, i) => {
    const [, number, scope] = /^(\d+)\|(.*)$/s.exec(node.scope)!;
    const isSource = sources.has(node.op);
    const isFree = isSource ? node.op !== "input" : node.inputs.every((value) => producer[value]!.isFree);
    const part = isForward[i] ? "forward" : "backward";
    const made: StageNode = { node, first, stage: Number(number), part, scope: scope!, isSource, isFree };
    nodes.push(made);
    for (let k = 0; k < node.outputs; k++) producer.push(made);
    first += node.outputs;
  });
  const named = plain.outputs.map(({ name, value }) => [name, value] as const);
  return {
    stages,
    nodes,
    producer,
    types,
    bytes: types.map(bytesOf),
    outputs: new Map(named.slice(0, named.length - trained)),
    gradients: named.slice(named.length - trained).map(([, value]) => value),
  };
}

// Types are those of a copy: a description has them of sources alone.
function typesOf(plain: PlainGraph) {
  const graph = new addon.Graph();
  try {
    return call(() => replay(graph, plain, () => "").map((value) => graph.typeOf(value)));
  } finally {
    graph.dispose();
  }
}

function ancestors(plain: PlainGraph, values: readonly ValueId[]): boolean[] {
  const producer = plain.nodes.flatMap((node, i) => Array.from({ length: node.outputs }, () => i));
  const needed = plain.nodes.map(() => false);
  for (const value of values) needed[producer[value]!] = true;
  for (let i = needed.length - 1; i >= 0; i--) {
    if (needed[i]) for (const value of plain.nodes[i]!.inputs) needed[producer[value]!] = true;
  }
  return needed;
}
