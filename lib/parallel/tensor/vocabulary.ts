// Tables of rows and the outputs that the loss looks at: both are divided by the number of the row or class.
import type { Analysis, AnalysedGraph } from "../../prune/structured/analysis.js";
import type { TracedNode } from "../../prune/structured/traced.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { Role } from "./forms.js";
import { usesOf } from "./roles.js";

/** A parameter whose first axis is divided evenly. */
export interface RowDivision {
  readonly parameter: Parameter;
  readonly role: Role;
}

const parameterOf = ({ graph }: AnalysedGraph, id: number): Parameter | undefined =>
  makerOf(graph.nodes, id)?.parameter;

const makerOf = (nodes: readonly TracedNode[], id: number): TracedNode | undefined =>
  nodes.find(({ results }) => results.includes(id));

/** Tables that are looked up, and weights [classes, features] whose product is the model's result. */
export function rowDivisions(analysis: Analysis): RowDivision[] {
  const found = new Map<Parameter, Role>();
  const [used] = analysis.graphs as [AnalysedGraph];
  for (const node of used.graph.nodes) {
    const table = node.op === "embedding" ? parameterOf(used, node.inputs[0]!) : undefined;
    if (table) found.set(table, "vocabulary");
  }
  const head = headOf(used);
  if (head) {
    found.set(head.weight, found.has(head.weight) ? "tied" : "logits");
    if (head.bias) found.set(head.bias, "logits bias");
  }
  return [...found].map(([parameter, role]) => ({ parameter, role }));
}

// The product that is the model's result, with its bias if it has one.
function headOf(graph: AnalysedGraph): { weight: Parameter; bias?: Parameter } | undefined {
  const { nodes, output } = graph.graph;
  const last = makerOf(nodes, output);
  if (!last) return undefined;
  if (last.op === "matmul") {
    const weight = parameterOf(graph, last.inputs[1]!);
    const fits = weight && usesOf(graph, weight).every(({ made }) => made === 0);
    return fits ? { weight } : undefined;
  }
  if (last.op !== "add") return undefined;
  const bias = parameterOf(graph, last.inputs[1]!);
  const product = makerOf(nodes, last.inputs[0]!);
  if (bias?.shape.length !== 1 || product?.op !== "matmul") return undefined;
  const weight = parameterOf(graph, product.inputs[1]!);
  if (!weight || usesOf(graph, weight).some(({ made }) => made !== 0)) return undefined;
  return { weight, bias };
}
