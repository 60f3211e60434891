// Where a model is cut in stages: between layers, so that the most expensive stage costs as little as possible, what it sends included.
import { ArgumentError } from "../errors.js";
import type { NativeNode, ValueId } from "../native/index.js";
import { bytesOf, type PlainGraph } from "./stage-graph.js";

/** A run of nodes that is not cut: those of one layer, or of several small ones. */
export interface Segment {
  /** Number of its first node, and of the one after its last. */
  readonly begin: number;
  readonly end: number;
  /** Where in the model it is, for people. */
  readonly name: string;
}

/** Floating-point operations and bytes of every node of a forward graph, by its types. */
export function workOf(forward: PlainGraph, types: readonly { dtype: string; shape: readonly number[] }[]) {
  let value = 0;
  return forward.nodes.map((node) => {
    const first = value;
    value += node.outputs;
    const outputs = Array.from({ length: node.outputs }, (_, k) => types[first + k]!);
    const inputs = node.inputs.map((id) => types[id]!);
    if (node.inputs.length === 0) return { flops: 0, bytes: 0 };
    const bytes = [...inputs, ...outputs].reduce((sum, type) => sum + bytesOf(type), 0);
    return { flops: flopsOf(node, inputs, outputs), bytes };
  });
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

interface Typed {
  readonly shape: readonly number[];
}

// Twice the additions of products; other nodes cost the memory that they touch.
function flopsOf(node: NativeNode, inputs: readonly Typed[], outputs: readonly Typed[]): number {
  const size = count(outputs[0]?.shape ?? []);
  const [a, b] = inputs;
  if (node.op === "matmul") {
    const inner = node.attrs.trans_a === true ? a!.shape.at(-2)! : a!.shape.at(-1)!;
    return 2 * size * inner;
  }
  if (node.op.startsWith("conv")) return 2 * size * count(b!.shape.slice(1));
  if (node.op === "attention") return 4 * count(a!.shape) * b!.shape.at(-2)!; // [B, H, T, d]
  if (node.op === "attention_packed") return (4 / 3) * count(a!.shape) * a!.shape[1]!; // [B, T, 3 C]
  return size;
}

/** Seconds by a usual machine: what is compared when nothing was measured. */
export const estimatedSeconds = ({ flops, bytes }: { readonly flops: number; readonly bytes: number }): number =>
  flops / 50e9 + bytes / 10e9;

/** The layers of a forward graph as segments, small neighbours joined until there are at most `most`. */
export function segmentsOf(forward: PlainGraph, seconds: readonly number[], most: number): Segment[] {
  const { nodes } = forward;
  let segments: Segment[] = [];
  let begin = 0;
  nodes.forEach((node, i) => {
    const next = nodes[i + 1];
    // Within one function, before what computes much.
    const isHeavy = next !== undefined && /^(matmul|conv|attention)/.test(next.op);
    if (next?.scope === node.scope && !(node.scope === "" && isHeavy)) return;
    segments.push({ begin, end: i + 1, name: node.scope });
    begin = i + 1;
  });
  const costOf = ({ begin, end }: Segment) => seconds.slice(begin, end).reduce((a, b) => a + b, 0);
  let costs = segments.map(costOf);
  // Segments that compute nothing belong to the next one.
  while (segments.length > most || costs.some((cost, i) => cost === 0 && i + 1 < segments.length)) {
    const joint = segments.slice(1).map((_, i) => costs[i]! + costs[i + 1]!);
    const zero = costs.findIndex((cost, i) => cost === 0 && i + 1 < segments.length);
    const at = zero >= 0 ? zero : joint.indexOf(Math.min(...joint));
    const [left, right] = [segments[at]!, segments[at + 1]!];
    const name = costs[at]! > costs[at + 1]! ? left.name : right.name;
    segments = [...segments.slice(0, at), { begin: left.begin, end: right.end, name }, ...segments.slice(at + 2)];
    costs = [...costs.slice(0, at), joint[at]!, ...costs.slice(at + 2)];
  }
  return segments;
}

/** Bytes of the values that are made before node `at` and used from there on; parameters, constants and columns are everywhere. */
export function crossingBytes(forward: PlainGraph, types: readonly { dtype: string; shape: readonly number[] }[]) {
  const lastUse = new Map<ValueId, number>();
  const madeAt = new Map<ValueId, number>();
  let value = 0;
  forward.nodes.forEach((node, i) => {
    for (const id of node.inputs) lastUse.set(id, i);
    const isSource = node.op === "input" || node.op === "parameter" || node.op === "constant";
    for (let k = 0; k < node.outputs; k++, value++) if (!isSource) madeAt.set(value, i);
  });
  const change = new Float64Array(forward.nodes.length + 2);
  for (const [id, made] of madeAt) {
    const last = lastUse.get(id);
    if (last === undefined) continue;
    change[made + 1]! += bytesOf(types[id]!);
    change[last + 1]! -= bytesOf(types[id]!);
  }
  let held = 0;
  return Array.from(change, (by) => (held += by)); // [nodes + 2], by the number of the first node after the cut
}

/** What {@link cutSegments} weighs. */
export interface CutSource {
  readonly where: string;
  readonly segments: readonly Segment[];
  /** Seconds of both passes, by segment. */
  readonly seconds: readonly number[];
  /** Seconds of a message over a cut before each segment. */
  readonly transfer: readonly number[];
  readonly stages: number;
}

/**
 * The stages as runs of segments: their first segments.
 *
 * @throws ArgumentError where there are more stages than segments.
 */
export function cutSegments({ where, segments, seconds, transfer, stages }: CutSource): number[] {
  const n = segments.length;
  if (stages > n) {
    throw new ArgumentError(
      `${where}: the model has ${n} ${n === 1 ? "layer" : "layers"} to cut between, got ${stages} stages; give at most ${n}, or a model with more layers`,
    );
  }
  const before = seconds.reduce<number[]>((sums, each) => [...sums, sums.at(-1)! + each], [0]);
  // best[k][j]: the least cost of the dearest stage when the first j segments are k stages; then the least sent, as a tie-break.
  type Cell = { readonly worst: number; readonly sent: number; readonly from: number };
  let best: (Cell | undefined)[] = Array.from({ length: n + 1 }, (_, j) => (j === 0 ? { worst: 0, sent: 0, from: 0 } : undefined)); // prettier-ignore
  const table: (Cell | undefined)[][] = [];
  for (let k = 1; k <= stages; k++) {
    const next: (Cell | undefined)[] = Array.from({ length: n + 1 }, () => undefined);
    for (let j = k; j <= n - (stages - k); j++) {
      for (let i = k - 1; i < j; i++) {
        const left = best[i];
        if (!left) continue;
        const messages = (i > 0 ? transfer[i]! : 0) + (j < n ? transfer[j]! : 0);
        const worst = Math.max(left.worst, before[j]! - before[i]! + messages);
        const sent = left.sent + (i > 0 ? transfer[i]! : 0);
        const known = next[j];
        if (!known || worst < known.worst || (worst === known.worst && sent < known.sent)) next[j] = { worst, sent, from: i }; // prettier-ignore
      }
    }
    table.push(next);
    best = next;
  }
  const cuts: number[] = [];
  for (let k = stages - 1, j = n; k >= 0; k--) {
    j = table[k]![j]!.from;
    cuts.unshift(j);
  }
  return cuts;
}

/** The stage of every node. */
export function stagesOfNodes(segments: readonly Segment[], cuts: readonly number[]): number[] {
  return segments.flatMap(({ begin, end }, i) => {
    const stage = cuts.filter((cut) => cut <= i).length - 1;
    return Array.from({ length: end - begin }, () => stage);
  });
}
