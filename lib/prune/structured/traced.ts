// A model as the structured pruner sees it: its nodes with the types of all values, traced once for use and once for training,
// because some parameters take part in only one of the two.
import { ArgumentError } from "../../errors.js";
import { addon, call, type NativeNode, type NativeType } from "../../native/index.js";
import { feed, type Module } from "../../nn/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import { appendOperation, replay } from "../../tensor/replay.js";
import type { InputSignature } from "../../tensor/signature.js";
import { Tensor } from "../../tensor/tensor.js";
import { Trace, within } from "../../tensor/trace.js";

/** A node with the numbers and types of its results. */
export interface TracedNode extends NativeNode {
  readonly results: readonly number[];
  readonly types: readonly NativeType[];
  /** Of a parameter of the model. */
  readonly parameter?: Parameter;
}

/** One trace. */
export interface TracedGraph {
  readonly nodes: readonly TracedNode[];
  /** The number of the model's result. */
  readonly output: number;
}

/** Samples in a traced batch. */
export const batch = 3;

/** The model's graphs in use and in training. @throws what tracing throws */
export function traceModel(where: string, model: Module, input: InputSignature): TracedGraph[] {
  const named = model.namedParameters().map(({ parameter }) => ({ parameter, name: parameter.name }));
  // The graph knows variables by name alone; numbers tell the model's own from others of the same name.
  named.forEach(({ parameter }, i) => (parameter.name = `#${i}`));
  const byName = new Map(named.map(({ parameter }) => [parameter.name, parameter]));
  try {
    return [false, true].map((training) => traceOnce(where, model, input, training, byName));
  } finally {
    for (const { parameter, name } of named) parameter.name = name;
  }
}

function traceOnce(
  where: string,
  model: Module,
  input: InputSignature,
  training: boolean,
  byName: ReadonlyMap<string, Parameter>,
): TracedGraph {
  const trace = new Trace({ training });
  try {
    within(trace, () => {
      const y: unknown = feed(model, trace.input("x", input.dtype, [batch, ...input.shape]));
      if (!(y instanceof Tensor)) throw new ArgumentError(`${where}: the model must return one tensor`);
      // What statistics become counts as a result, or it would be dead code.
      const updates = trace.pendingUpdates().map(([, value], i) => [`#${i}`, value]);
      trace.setOutputs({ y, ...(Object.fromEntries(updates) as Record<string, Tensor>) });
    });
    const { nodes, outputs } = call(() => trace.graph.describe());
    return { nodes: withTypes(nodes, byName), output: outputs[0]!.value };
  } finally {
    trace.graph.dispose();
  }
}

// A description has no types of results: the graph is written again, which gives them.
function withTypes(nodes: readonly NativeNode[], byName: ReadonlyMap<string, Parameter>): TracedNode[] {
  const graph = new addon.Graph();
  try {
    const traced: TracedNode[] = [];
    replay(nodes, (node, inputs: readonly number[], index) => {
      const { op, type, variable } = node;
      const results = type
        ? [call(() => graph.input(`value${index}`, type.dtype, type.shape))]
        : appendOperation(graph, op, inputs, node.attrs);
      const types = results.map((result) => graph.typeOf(result));
      const parameter = variable && byName.get(variable.name);
      traced.push({ ...node, results, types, ...(parameter && { parameter }) });
      return results;
    });
    return traced;
  } finally {
    graph.dispose();
  }
}
