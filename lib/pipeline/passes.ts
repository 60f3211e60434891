// The programs of a stage: its forward pass, and its backward pass whole or in halves. What one program makes and another needs goes through
// slots; what another stage needs is handed on from neighbour to neighbour.
import { InternalError } from "../errors.js";
import { addon, call, type NativeGraph, type NativeProgram, type ValueId } from "../native/index.js";
import type { PipelinePass } from "./schedule.js";
import { appendNode, type StageGraph, type StageNode } from "./stage-graph.js";

/** What goes over the boundary between two stages, by the number of the stage below it. */
export interface Boundaries {
  /** With the forward pass, from stage b to b + 1. */
  readonly up: readonly (readonly ValueId[])[];
  /** With the backward pass, from stage b + 1 to b. */
  readonly down: readonly (readonly ValueId[])[];
}

/** What crosses the boundaries. `everywhere`: a value that every stage's backward pass takes. */
export function boundariesOf(graph: StageGraph, everywhere: readonly ValueId[] = []): Boundaries {
  const up = Array.from({ length: graph.stages - 1 }, () => new Set<ValueId>());
  const down = Array.from({ length: graph.stages - 1 }, () => new Set<ValueId>());
  const carry = (value: ValueId, from: number, to: number): void => {
    for (let b = from; b < to; b++) up[b]!.add(value);
    for (let b = to; b < from; b++) down[b]!.add(value);
  };
  for (const { node, stage, isSource, isFree } of graph.nodes) {
    if (isSource || isFree) continue;
    for (const value of node.inputs) {
      const made = graph.producer[value]!;
      if (made.isSource || made.isFree) continue;
      if (made.part === "backward" && stage > made.stage) {
        throw new InternalError(`pipeline: a gradient of stage ${made.stage} is needed on stage ${stage}, which comes after it`); // prettier-ignore
      }
      carry(value, made.stage, stage);
    }
  }
  for (const value of everywhere) {
    const made = graph.producer[value]!;
    if (!made.isSource && !made.isFree) carry(value, made.stage, 0);
  }
  const inOrder = (sets: readonly Set<ValueId>[]) => sets.map((set) => [...set].sort((a, b) => a - b));
  return { up: inOrder(up), down: inOrder(down) };
}

/** What a pass gives to the exchange between ranks that hold the same stage. */
export interface Delivery {
  /** Writes the nodes; `value` gives a value of the step in the pass's own graph. */
  write(graph: NativeGraph, value: (id: ValueId) => ValueId): void;
  /** The values that it takes. */
  readonly values: readonly ValueId[];
  /** They are results of the program besides, which nobody reads: for a measurement. */
  readonly asResults?: boolean;
}

/** A compiled pass. */
export interface CompiledPass {
  readonly native: NativeProgram;
  /** By input: the value of the step that it takes, undefined for a column or a number of the step. */
  readonly feeds: readonly (ValueId | undefined)[];
  /** By output: the value that it gives, or what a step tells of itself; "" for one that nobody reads. */
  readonly results: readonly (ValueId | "loss" | "#count" | "")[];
  /** Bytes of its working memory. */
  readonly arenaBytes: number;
}

/** What {@link compilePass} takes. */
export interface PassSource {
  readonly graph: StageGraph;
  readonly boundaries: Boundaries;
  readonly stage: number;
  readonly pass: PipelinePass;
  readonly delivery?: Delivery | undefined;
  /** What later passes of the stage deliver. */
  readonly later?: readonly ValueId[] | undefined;
}

const ownsOf = ({ graph, boundaries, stage, pass }: PassSource): Set<StageNode> => {
  const part = pass === "F" ? "forward" : "backward";
  const all = graph.nodes.filter((node) => node.stage === stage && node.part === part && !node.isSource && !node.isFree); // prettier-ignore
  if (pass === "F" || pass === "B") return new Set(all);
  const own = new Set(all);
  const byInputs = new Set<StageNode>();
  const visit = (value: ValueId): void => {
    const made = graph.producer[value]!;
    if (!own.has(made) || byInputs.has(made)) return;
    byInputs.add(made);
    made.node.inputs.forEach(visit);
  };
  boundaries.down[stage - 1]?.forEach(visit);
  return pass === "I" ? byInputs : new Set(all.filter((node) => !byInputs.has(node)));
};

/** Values that nodes other than `own` of the same stage take, neighbours included. */
function neededOutside({ graph, boundaries, stage, later }: PassSource, own: ReadonlySet<StageNode>): Set<ValueId> {
  const needed = new Set<ValueId>();
  const take = (value: ValueId): void => {
    if (own.has(graph.producer[value]!)) needed.add(value);
  };
  for (const node of graph.nodes) {
    if (node.stage === stage && !node.isSource && !node.isFree && !own.has(node)) node.node.inputs.forEach(take);
  }
  boundaries.up[stage]?.forEach(take);
  boundaries.down[stage - 1]?.forEach(take);
  later?.forEach(take);
  return needed;
}

/** Compiles a pass of a stage; undefined where it has nothing to do. */
export function compilePass(source: PassSource): CompiledPass | undefined {
  const { graph, delivery } = source;
  const own = ownsOf(source);
  if (own.size === 0 && !delivery?.values.length) return undefined;
  const named = (["loss", "#count"] as const).filter((name) => {
    const value = graph.outputs.get(name);
    return value !== undefined && own.has(graph.producer[value]!);
  });
  const given = [...neededOutside(source, own)].sort((a, b) => a - b);
  const native = new addon.Graph();
  const feeds = new Map<string, ValueId>();
  const values = new Map<ValueId, ValueId>();
  // A value in this pass's graph: of its own nodes, computed again where it is free, else an input.
  const value = (id: ValueId): ValueId => {
    const known = values.get(id);
    if (known !== undefined) return known;
    const made = graph.producer[id]!;
    if (!made.isSource && !made.isFree && !own.has(made)) {
      const name = `#value${id}`;
      native.setScope("");
      const type = graph.types[id]!;
      const input = native.input(name, type.dtype as "f32", type.shape);
      feeds.set(name, id);
      values.set(id, input);
      return input;
    }
    const inputs = made.node.inputs.map(value);
    appendNode(native, made.node, inputs, made.scope).forEach((result, k) => values.set(made.first + k, result));
    return values.get(id)!;
  };
  try {
    return call(() => {
      for (const node of graph.nodes) if (own.has(node)) value(node.first);
      delivery?.write(native, value);
      const unread = delivery?.asResults ? delivery.values : [];
      native.setOutputs(
        [...named, ...given.map((id) => `#result${id}`), ...unread.map((id) => `#unread${id}`)],
        [...named.map((name) => value(graph.outputs.get(name)!)), ...[...given, ...unread].map(value)],
      );
      const program = native.compile();
      return {
        native: program,
        feeds: program.inputs.map(({ name }) => feeds.get(name)),
        results: [...named, ...given, ...unread.map(() => "" as const)],
        arenaBytes: program.report().arenaBytes,
      };
    });
  } finally {
    native.dispose();
  }
}
