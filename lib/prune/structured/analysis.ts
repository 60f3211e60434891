// Follows units through the graphs of a model: from its parameters' axes, which both graphs share, to its result. What comes
// out is which slices of which parameters can only go together (the dependency graph of Fang et al. 2023, found on the trace
// instead of on layers).
import type { Module } from "../../nn/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import { countOf, type Shape } from "../../tensor/nd-array.js";
import type { InputSignature } from "../../tensor/signature.js";
import { isElementwise, pruningOf, ruleOf } from "./rules.js";
import { traceModel, type TracedGraph, type TracedNode } from "./traced.js";
import { Units, type Axis } from "./units.js";
import { listAttr, placeOf, type Maker, type Value } from "./value.js";

/** A graph with its values, by number. */
export interface AnalysedGraph {
  readonly graph: TracedGraph;
  readonly values: readonly Value[];
}

/** What is known of a model's units. */
export interface Analysis {
  readonly units: Units;
  readonly graphs: readonly AnalysedGraph[];
  readonly makers: readonly Maker[];
  /** Of the parameters that take part. */
  readonly axesOf: ReadonlyMap<Parameter, readonly Axis[]>;
}

/** @throws what tracing throws */
export function analyse(where: string, model: Module, input: InputSignature): Analysis {
  const units = new Units();
  const makers: Maker[] = [];
  const axesOf = new Map<Parameter, Axis[]>();
  const graphs = traceModel(where, model, input).map((graph) => {
    const values: Value[] = [];
    const consumers = consumersOf(graph);
    for (const node of graph.nodes) {
      const inputs = node.inputs.map((id) => values[id]!);
      const results = node.parameter
        ? [ownParameter(units, axesOf, node.parameter)]
        : ruleOf(node)({
            units,
            node,
            inputs,
            shape: node.types[0]?.shape ?? [],
            made: (kind, axis) => makers.push({ kind, axis, label: labelOf(graph, node) }),
            leadsToHeads: (axis) => leadsToHeads(consumers, node.results[0]!, axis, 8),
          });
      node.results.forEach((id, i) => (values[id] = results[i] ?? asideOf(units, node, i)));
    }
    for (const axis of values[graph.output]!.axes) units.pinAxis(axis, "it is the model's output");
    return { graph, values };
  });
  return { units, graphs, makers, axesOf };
}

function ownParameter(units: Units, axesOf: Map<Parameter, Axis[]>, parameter: Parameter): Value {
  let axes = axesOf.get(parameter);
  if (!axes) axesOf.set(parameter, (axes = parameter.shape.map((extent) => units.fresh(extent))));
  if (parameter.parametrization) {
    const reason = `the weight is held as ${parameter.parametrization.kind}; prune the structure first, then quantize or pack`;
    for (const axis of axes) units.pinAxis(axis, reason);
  }
  return { axes, zero: axes.map(() => true), weight: true };
}

// A result that only a gradient reads, such as the places of maxima.
function asideOf(units: Units, node: TracedNode, i: number): Value {
  const { shape } = node.types[i]!;
  const axes = shape.map((extent) => units.fixed(extent, `${placeOf(node)} keeps it for its gradient`));
  return { axes, zero: axes.map(() => false), weight: false };
}

// The layer that makes units, or its weight where that is the user's own.
function labelOf(graph: TracedGraph, node: TracedNode): string {
  if (node.scope !== "") return node.scope;
  const weight = node.inputs.map((id) => graph.nodes.find(({ results }) => results.includes(id))?.parameter?.name);
  return weight.find((name) => name !== undefined) ?? node.op;
}

interface Consumers {
  readonly of: ReadonlyMap<number, readonly TracedNode[]>;
  readonly shapes: ReadonlyMap<number, Shape>;
}

function consumersOf(graph: TracedGraph): Consumers {
  const consumers = new Map<number, TracedNode[]>();
  const shapes = new Map(graph.nodes.map(({ results, types }) => [results[0]!, types[0]!.shape]));
  for (const node of graph.nodes) {
    for (const id of node.inputs) consumers.set(id, [...(consumers.get(id) ?? []), node]);
  }
  return { of: consumers, shapes };
}

// Whether attention reads this axis of a value as its heads, some moves later.
function leadsToHeads(consumers: Consumers, id: number, axis: number, steps: number): boolean {
  if (steps === 0) return false;
  return (consumers.of.get(id) ?? []).some((node) => {
    const next = axisAfter(node, id, axis, consumers.shapes.get(id) ?? []);
    if (next === "heads") return true;
    return next !== undefined && leadsToHeads(consumers, node.results[0]!, next, steps - 1);
  });
}

function axisAfter(node: TracedNode, id: number, axis: number, before: Shape): number | "heads" | undefined {
  const rank = node.types[0]!.shape.length;
  const rule = pruningOf(node);
  if (rule === "attention") return axis === 1 && node.inputs.indexOf(id) < 3 ? "heads" : undefined;
  if (rule === "transpose") return listAttr(node, "order")!.indexOf(axis);
  if (rule === "slice" || rule === "concat") return axis;
  // Products of two values of four dimensions are attention written out: [B, H, T, D].
  if (rule === "product") return rank === 4 && axis === 1 ? "heads" : undefined;
  if (rule === "reshape") return sameAxis(before, node.types[0]!.shape, axis);
  return isElementwise(node) ? axis : undefined;
}

// Where an axis is after a reshape that leaves it whole.
function sameAxis(before: Shape, after: Shape, axis: number): number | undefined {
  const outer = countOf(before.slice(0, axis));
  const found = after.findIndex((extent, at) => extent === before[axis] && countOf(after.slice(0, at)) === outer);
  return found === -1 ? undefined : found;
}
