// Where the model is cut: by what its layers cost here, measured on one rank, and the same cut on all.
import { ArgumentError } from "../../errors.js";
import type { NativeProgram, ValueId } from "../../native/index.js";
import {
  boundariesOf,
  compilePass,
  crossingBytes,
  cutSegments,
  divideGraph,
  estimatedSeconds,
  printPipeline,
  segmentsOf,
  showBytes,
  simulatePipeline,
  stagesOfNodes,
  workOf,
  type Segment,
  type StageCost,
} from "../../pipeline/index.js";
import { allocate } from "../../tensor/dtype.js";
import { countOf, type NdArray } from "../../tensor/nd-array.js";
import type { PipelineParallelism, PipelinePlan } from "./parallelism.js";
import type { PipelineLayout } from "./pipeline-layout.js";
import type { TracedStages } from "./pipeline-stages.js";
import { agreedOn, gather } from "./ranks.js";

/** What {@link measureCut} takes. */
export interface CutQuestion {
  readonly where: string;
  readonly traced: TracedStages;
  readonly stages: number;
  readonly balance: "measured" | "flops";
}

/** A model cut in stages. */
export interface Cut {
  /** The stage of every node of the forward pass. */
  readonly stageOfNode: readonly number[];
  /** Share of the parameters on the stage that has most. */
  readonly largest: number;
  readonly stages: readonly { readonly layers: readonly [string, string]; readonly cost: StageCost; readonly sends: number }[]; // prettier-ignore
}

/** Bytes a second of a message between ranks, where nothing was measured. */
const usualBandwidth = 4e9;

/** Cuts the model where rank 0 finds it best, with those that have its layers among them. @throws ArgumentError for more stages than layers; CommunicationError. */
export async function chooseCut(question: CutQuestion, { world, columns }: PipelineLayout): Promise<Cut> {
  const own = world < columns ? await measureCut(question).catch(refusalOf) : undefined;
  const texts = await gather(own ? JSON.stringify(own) : "", "the cut of the model");
  const cut = JSON.parse(texts[0]!) as Cut | { readonly refused: string };
  if ("refused" in cut) throw agreedOn(new ArgumentError(cut.refused));
  return cut;
}

// What all ranks are to throw.
function refusalOf(thrown: unknown): { readonly refused: string } {
  if (thrown instanceof ArgumentError) return { refused: thrown.message };
  throw thrown;
}

/** Cuts the model by what its layers cost in this process; one stage is the whole. @throws ArgumentError for more stages than layers. */
export async function measureCut({ where, traced, stages: count, balance }: CutQuestion): Promise<Cut> {
  const { plain } = traced;
  const types = typesOf(traced);
  const estimates = workOf(plain, types).map(estimatedSeconds);
  const segments = segmentsOf(plain, estimates, count === 1 ? 1 : Math.max(24, 4 * count));
  const sumOf = ({ begin, end }: Segment) => estimates.slice(begin, end).reduce((a, b) => a + b, 0);
  const costs =
    balance === "measured"
      ? await measure(traced, segments)
      : segments.map((segment) => ({ forward: sumOf(segment), backward: 2 * sumOf(segment) }));
  const crossing = crossingBytes(plain, types);
  const sends = segments.map(({ begin }) => crossing[begin]!);
  const cuts = cutSegments({
    where,
    segments,
    seconds: costs.map(({ forward, backward }) => forward + backward),
    transfer: sends.map((bytes) => (2 * bytes) / usualBandwidth),
    stages: count,
  });
  const stages = cuts.map((first, s) => {
    const end = cuts[s + 1] ?? segments.length;
    const members = segments.slice(first, end);
    const sum = (pick: (cost: { forward: number; backward: number }) => number) =>
      costs.slice(first, end).reduce((total, cost) => total + pick(cost), 0);
    const backward = sum((cost) => cost.backward);
    const bytes = end < segments.length ? sends[end]! : 0;
    const kept = keptBytes(plain, types, members[0]!.begin, members.at(-1)!.end);
    const cost: StageCost = {
      forward: sum((each) => each.forward),
      backwardInput: s === 0 ? 0 : backward / 2,
      backwardWeight: s === 0 ? backward : backward / 2,
      kept,
      transfer: bytes / usualBandwidth,
    };
    const names = members.map(({ name }) => name).filter((name) => name !== "");
    const last = end === segments.length ? "the loss" : (names.at(-1) ?? "the input");
    return { layers: [names[0] ?? last, last] as const, cost, sends: bytes };
  });
  const stageOfNode = stagesOfNodes(segments, cuts);
  return { stageOfNode, stages, largest: largestShare(traced, stageOfNode, count) };
}

// The share of the trained parameters that the stage with most of them reads first.
function largestShare({ plain, bound }: TracedStages, stageOfNode: readonly number[], stages: number): number {
  const sizes = new Float64Array(stages);
  const trained = bound.parameters.filter(({ trainable }) => trainable);
  plain.nodes.forEach(({ variable }, i) => {
    if (!variable) return;
    const own = trained.find(({ native }) => native.is(variable));
    if (own) sizes[stageOfNode[i]!]! += own.size;
  });
  const total = sizes.reduce((a, b) => a + b, 0);
  return total === 0 ? 1 : Math.max(...sizes) / total;
}

function typesOf({ plain }: TracedStages) {
  // Of one stage, whose copy has the types of all values; numbers of values are those of the description, without gradients.
  const whole = divideGraph(plain, plain.nodes.map(() => 0), 1, []); // prettier-ignore
  return whole.types;
}

// An upper estimate: every value that the stage makes.
function keptBytes(
  { nodes }: TracedStages["plain"],
  types: readonly { dtype: string; shape: readonly number[] }[],
  begin: number,
  end: number,
): number {
  let [value, bytes] = [0, 0];
  nodes.forEach((node, i) => {
    for (let k = 0; k < node.outputs; k++, value++) {
      if (i < begin || i >= end || node.op === "parameter" || node.op === "constant") continue;
      bytes += 4 * countOf(types[value]!.shape);
    }
  });
  return bytes;
}

/** Seconds of both passes of every segment: each is compiled as a stage of its own and run on zeros, the best of three times. */
async function measure(traced: TracedStages, segments: readonly Segment[]) {
  const { plain, bound } = traced;
  const stageOfNode = segments.flatMap(({ begin, end }, s) => Array.from({ length: end - begin }, () => s));
  const parameters = bound.parameters.map(({ native }) => native);
  const graph = divideGraph(plain, stageOfNode, segments.length, parameters);
  const boundaries = boundariesOf(graph);
  const values = new Map<ValueId, NdArray["data"]>();
  const costs = segments.map(() => ({ forward: 0, backward: 0 }));
  const time = async (stage: number, pass: "F" | "B"): Promise<number> => {
    const compiled = compilePass({ graph, boundaries, stage, pass, delivery: sink(graph, stage, pass) });
    if (!compiled) return 0;
    const { native, feeds, results } = compiled;
    try {
      const given = native.inputs.map(({ dtype, shape }, i) => {
        const known = feeds[i] === undefined ? undefined : values.get(feeds[i]);
        return known ?? allocate(dtype, countOf(shape));
      });
      const taken = native.outputs.map(({ dtype, shape }) => allocate(dtype, countOf(shape)));
      const best = await bestOfThree(native, given, taken);
      results.forEach((value, i) => typeof value === "number" && values.set(value, taken[i]!));
      return best;
    } finally {
      native.dispose();
    }
  };
  for (let s = 0; s < segments.length; s++) costs[s]!.forward = await time(s, "F");
  for (let s = segments.length - 1; s >= 0; s--) costs[s]!.backward = await time(s, "B");
  return costs;
}

// Gradients of parameters are results of the backward pass, or they would be dead code.
function sink(graph: ReturnType<typeof divideGraph>, stage: number, pass: "F" | "B") {
  if (pass === "F") return undefined;
  const values = graph.gradients.filter((value) => graph.producer[value]!.stage === stage);
  return values.length === 0 ? undefined : { values, asResults: true, write: () => undefined };
}

async function bestOfThree(native: NativeProgram, feeds: NdArray["data"][], results: NdArray["data"][]) {
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const seconds = await native.profile(feeds, results, 0, 0);
    best = Math.min(best, (seconds).reduce((a, b) => a + b, 0)); // prettier-ignore
  }
  return best;
}

/** What the run tells of its division. */
export function planOf({ stages }: Cut, layout: PipelineLayout, _: PipelineParallelism): PipelinePlan {
  const simulation = simulatePipeline("parallel.pipeline", layout.schedule, stages.map(({ cost }) => cost)); // prettier-ignore
  const rows = stages.map(({ layers, cost, sends }, s) => ({ layers, cost, sends, rank: s % layout.ranks }));
  return {
    stages: rows,
    simulation,
    toString: () =>
      [
        ...rows.map(({ layers: [first, last], rank, cost, sends }, s) => {
          const ms = (1e3 * (cost.forward + cost.backwardInput + cost.backwardWeight)).toFixed(3);
          const sent = s + 1 < rows.length ? `, sends ${showBytes(sends)}` : "";
          return `stage ${s} on rank ${rank}: ${named(first)} to ${named(last)}, ${ms} ms a micro-batch${sent}`;
        }),
        printPipeline(simulation, "s"),
      ].join("\n"),
  };
}

const named = (layer: string): string => (layer === "the loss" ? layer : `"${layer}"`);
