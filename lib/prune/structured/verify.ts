// The shrunk model is traced again and compared with what the plan foresees: the same operations on the same values, every shape
// as counted, every constant as it was. What differs is a size that the model's code fixes.
import { UnsupportedError } from "../../errors.js";
import type { Module } from "../../nn/index.js";
import { showShape } from "../../tensor/nd-array.js";
import type { InputSignature } from "../../tensor/signature.js";
import type { Analysis, AnalysedGraph } from "./analysis.js";
import { attrsOf } from "./counts.js";
import { traceModel, type TracedGraph, type TracedNode } from "./traced.js";
import { placeOf } from "./value.js";

type Kept = (unit: number) => boolean;

/** @throws UnsupportedError where the shrunk model is another one than planned; what tracing throws. */
export function verify(where: string, model: Module, input: InputSignature, analysis: Analysis, kept: Kept): void {
  traceModel(where, model, input).forEach((now, i) => compare(where, analysis.graphs[i]!, now, kept));
}

function compare(where: string, { graph, values }: AnalysedGraph, now: TracedGraph, kept: Kept): void {
  if (graph.nodes.length !== now.nodes.length) fail(where, "the model", "other operations than before");
  graph.nodes.forEach((before, index) => {
    const after = now.nodes[index]!;
    if (before.op !== after.op || String(before.inputs) !== String(after.inputs)) {
      fail(where, placeOf(after), "other operations than before");
    }
    // Further results follow the first, or are there for gradients.
    const foreseen = values[before.results[0]!]!.axes.map((axis) => axis.filter(kept).length);
    const { shape } = after.types[0]!;
    if (String(shape) !== String(foreseen)) {
      fail(where, placeOf(after), `${showShape(shape)} where ${showShape(foreseen)} is left`);
    }
    compareConstants(where, before, after);
    compareAttrs(where, before, after, attrsOf(before, values, kept));
  });
}

function compareAttrs(where: string, before: TracedNode, after: TracedNode, foreseen: Record<string, unknown>): void {
  for (const name of Object.keys(before.attrs)) {
    if (name === "shape" || String(after.attrs[name]) === String(foreseen[name])) continue;
    fail(where, placeOf(after), `${name} ${String(after.attrs[name])} where ${String(foreseen[name])} is left`);
  }
}

function compareConstants(where: string, before: TracedNode, after: TracedNode): void {
  if (!before.constant || Buffer.from(before.constant).equals(Buffer.from(after.constant!))) return;
  const place = after.scope === "" ? "the model's code" : `layer "${after.scope}"`;
  fail(where, place, "a constant that depends on a size that changes");
}

function fail(where: string, place: string, what: string): never {
  throw new UnsupportedError(
    `${where}: ${place} has ${what}; take sizes from the shapes of x and of the weights, or leave the layer out with keep`,
  );
}
