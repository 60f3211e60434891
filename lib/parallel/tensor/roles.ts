// What every parameter of a unit group does with the units, by the traced graphs: makes them (a column), adds them up (a row), or has
// one number for each of them (a part). Only groups in which each use is one of these can be divided among ranks.
import type { AnalysedGraph, Analysis } from "../../prune/structured/analysis.js";
import type { UnitGroup } from "../../prune/structured/groups.js";
import type { TracedNode } from "../../prune/structured/traced.js";
import { listAttr, numberAttr, placeOf } from "../../prune/structured/value.js";
import type { Parameter } from "../../tensor/parameter.js";

/** A use of a weight by a product. */
export interface Use {
  readonly node: TracedNode;
  /** Axis of the weight along which products are added up, and the one that makes outputs. */
  readonly summed: number;
  readonly made: number;
}

const products: ReadonlySet<string> = new Set(["matmul", "conv2d"]);
const sums: ReadonlySet<string> = new Set(["sum", "mean", "max", "min", "argmax", "argmin", "softmax", "log_softmax"]);

/** The products that take a parameter as their second operand as it is. */
export function usesOf({ graph }: AnalysedGraph, parameter: Parameter): Use[] {
  const own = new Set(graph.nodes.filter((node) => node.parameter === parameter).flatMap(({ results }) => results));
  return graph.nodes
    .filter(({ op, inputs }) => products.has(op) && own.has(inputs[1]!))
    .map((node) => {
      if (node.op === "conv2d") return { node, summed: 1, made: 0 };
      return node.attrs.trans_b === true ? { node, summed: 1, made: 0 } : { node, summed: 0, made: 1 };
    });
}

/** What a group's parameters do; or the reason why it cannot be divided. */
export function rolesOf(analysis: Analysis, group: UnitGroup): Map<Parameter, "column" | "row" | "part"> | string {
  const roles = new Map<Parameter, "column" | "row" | "part">();
  for (const { parameter, axis, name } of group.members) {
    if (roles.has(parameter)) return `"${name}" has its units along two axes`;
    const uses = analysis.graphs.flatMap((graph) => usesOf(graph, parameter));
    if (uses.some(({ node }) => node.op === "conv2d" && numberAttr(node, "groups", 1) > 1)) {
      return `"${name}" is of a convolution in groups`;
    }
    const kinds = new Set(uses.map(({ summed }) => (summed === axis ? "row" : "column")));
    if (kinds.size > 1) return `"${name}" is multiplied in two ways`;
    if (uses.length === 0 && parameter.shape.length > 1) return `"${name}" is used in no product`;
    roles.set(parameter, [...kinds][0] ?? "part");
  }
  return reasonAgainst(analysis, group, roles) ?? roles;
}

function reasonAgainst(
  { graphs, units }: Analysis,
  group: UnitGroup,
  roles: ReadonlyMap<Parameter, string>,
): string | undefined {
  const own = new Set(group.units.map(({ id }) => id));
  for (const { graph, values } of graphs) {
    const has = (id: number, axis: number) => {
      const { axes } = values[id]!;
      return [...(axes.at(axis) ?? [])].some((unit) => own.has(units.classOf(unit)));
    };
    const weights = new Map(graph.nodes.flatMap((node) => node.results.map((id) => [id, node.parameter] as const)));
    for (const node of graph.nodes) {
      const [first, second] = node.inputs;
      if (
        node.op === "random_uniform" &&
        values[node.results[0]!]!.axes.some((_, axis) => has(node.results[0]!, axis))
      ) {
        return `${placeOf(node)} draws a number for each of its units, which would be others on every rank; put the dropout behind the next layer`;
      }
      if (sums.has(node.op)) {
        const along = listAttr(node, "axes") ?? [numberAttr(node, "axis", -1)];
        if (along.some((axis) => has(first!, axis))) return `${placeOf(node)} runs over its units`;
      }
      if (!products.has(node.op)) continue;
      const axis = node.op === "conv2d" ? 1 : node.attrs.trans_a === true ? -2 : -1;
      if (!has(first!, axis)) continue;
      const weight = weights.get(second!);
      if (!weight || roles.get(weight) !== "row")
        return `${placeOf(node)} adds up its units with something else than a weight`;
    }
  }
  return undefined;
}
