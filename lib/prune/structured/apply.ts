// A plan carried out on a copy of the model: parameters lose their slices, layers that count their groups or heads in a field
// count anew, and the copy is traced to see that its code makes of the new sizes what the plan says.
import { SavedModel } from "../../artifact/index.js";
import { ArgumentError, AthanorError, UnsupportedError } from "../../errors.js";
import { recordStep } from "../../info/index.js";
import type { Module } from "../../nn/index.js";
import { NdArray } from "../../tensor/nd-array.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { InputSignature } from "../../tensor/signature.js";
import type { Analysis } from "./analysis.js";
import { cutArray, type Cut } from "./cuts.js";
import { countsOf } from "./counts.js";
import { resizeSaved } from "./saved.js";
import { traceModel } from "./traced.js";
import { verify } from "./verify.js";

/** What to shrink and how. */
export interface ShrinkSource<M extends Module> {
  /** For messages. Default "prune". */
  readonly where?: string;
  readonly model: M;
  readonly input: InputSignature;
  readonly analysis: Analysis;
  readonly cuts: ReadonlyMap<Parameter, Cut>;
  /** Classes of the units that go. */
  readonly removed: ReadonlySet<number>;
  /** What was asked for, to be noted with the model's steps; undefined where nothing is to be noted. */
  readonly asked: Readonly<Record<string, unknown>> | undefined;
}

/** The shrunk copy. */
export function shrink<M extends Module>(source: ShrinkSource<M>): M {
  const { model, cuts, analysis, removed, where = "prune" } = source;
  for (const parameter of cuts.keys()) requirePlain(where, parameter, analysis);
  const kept = (unit: number) => !removed.has(analysis.units.classOf(unit));
  const copy = model.clone();
  try {
    // The copy has labels of its own, whatever model the original was traced in before.
    const labelled = traceModel(where, copy, source.input);
    const copies = copy.namedParameters();
    model.namedParameters().forEach(({ parameter }, i) => {
      const cut = cuts.get(parameter);
      if (cut) cutParameter(where, copies[i]!.parameter, cut);
    });
    analysis.graphs.forEach(({ graph, values }, g) => {
      graph.nodes.forEach((node, i) => {
        const before = countsOf(node, values, () => true);
        recount(copy, labelled[g]!.nodes[i]!.scope, before, countsOf(node, values, kept));
      });
    });
    if (copy instanceof SavedModel) resizeSaved(where, copy, analysis.graphs, kept);
    verify(where, copy, source.input, analysis, kept);
    if (source.asked) recordStep(copy, "prune", source.asked);
    return copy;
  } catch (thrown) {
    copy.dispose();
    throw asUnsupported(where, thrown);
  }
}

function requirePlain(where: string, parameter: Parameter, { axesOf }: Analysis): void {
  if (parameter.parametrization) {
    throw new ArgumentError(
      `${where}: "${parameter.name}" is held as ${parameter.parametrization.kind}, which cannot be cut; prune the structure first, then quantize or pack`,
    );
  }
  if (axesOf.get(parameter)!.every(({ length }, axis) => length === parameter.shape[axis])) return;
  throw new ArgumentError(`${where}: "${parameter.name}" has another shape than when it was planned; plan anew`);
}

function cutParameter(where: string, parameter: Parameter, cut: Cut): void {
  const { shape } = parameter;
  const mask = parameter.readMask();
  const values = cutArray(where, parameter.readSync(), shape, cut);
  parameter.become(values);
  if (mask) parameter.setMask(cutArray(where, new NdArray(mask, shape), shape, cut).data as Uint8Array);
}

// Fields of layers that hold such a count, where no weight's shape tells it.
const fields: Readonly<Record<string, string>> = { groups: "groups", heads: "heads", kv_heads: "kvHeads" };

type Counts = Readonly<Record<string, number>>;

function recount(model: Module, scope: string, before: Counts, after: Counts): void {
  const changed = Object.entries(after).filter(([name, count]) => before[name] !== count);
  if (changed.length === 0) return;
  const owner = moduleAt(model, scope);
  for (const [name, count] of changed) {
    const held = Object.getOwnPropertyDescriptor(owner, fields[name]!);
    if (held?.value === before[name]) Object.defineProperty(owner, fields[name]!, { ...held, value: count });
  }
}

// The module that a node was traced in, by its label.
function moduleAt(model: Module, scope: string): Module {
  const modules = new Map(model.namedModules().map(({ name, module }) => [name, module]));
  let path = scope;
  while (!modules.has(path) && path !== "") path = path.slice(0, Math.max(0, path.lastIndexOf(".")));
  return modules.get(path) ?? model;
}

function asUnsupported(where: string, thrown: unknown): unknown {
  if (!(thrown instanceof AthanorError) || thrown instanceof UnsupportedError) return thrown;
  return new UnsupportedError(
    `${where}: the model's code does not follow its smaller weights (${thrown.message}); take sizes from the shapes of x and of the weights`,
    { cause: thrown },
  );
}
