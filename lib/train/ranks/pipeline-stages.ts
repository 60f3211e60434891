// The stages of a model for micro-batches of so many rows: the forward pass is traced whole, cut, differentiated, and the passes of this rank's
// stages are compiled. Which rank has which stage is the pipeline's (lib/pipeline).
import { InternalError, UnsupportedError } from "../../errors.js";
import { addon, call, type NativeVariable, type ValueId } from "../../native/index.js";
import {
  boundariesOf,
  compilePass,
  divideGraph,
  type Boundaries,
  type CompiledPass,
  type Delivery,
  type MicroBatchStages,
  type PipelinePass,
  type PlainGraph,
  type StageGraph,
} from "../../pipeline/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import { COUNT } from "../step/loss-total.js";
import { traceForward, type StepSource, type TracedForward } from "../step/step-program.js";

/** A forward pass as it is cut. */
export interface TracedStages extends TracedForward {
  readonly plain: PlainGraph;
  /** The graph as text, as it was traced. */
  readonly text: string;
  /** Running statistics, in the order of the graph's outputs {@link statisticName}. */
  readonly statistics: readonly Parameter[];
}

/** The output with the new value of a running statistic. */
export const statisticName = (index: number): string => `#statistic${index}`;

/** Traces the forward pass. @throws UnsupportedError for a loss that ranks do not share. */
export function traceStages(source: StepSource): TracedStages {
  const { where } = source;
  const traced = traceForward(source);
  const { trace, loss, kind, count } = traced;
  if (kind === "part count" || kind === "part sum") {
    throw new UnsupportedError(
      `${where}: a loss that counts some rows, or sums, beside distillation is not divided among ranks yet; train on one rank, or by a loss that is a mean over all rows`,
    );
  }
  const text = call(() => trace.graph.print("text"));
  const updates = trace.pendingUpdates();
  const other = updates.find(([{ dtype }]) => dtype !== "f32");
  if (other) {
    throw new UnsupportedError(
      `${where}: ranks take the mean of running statistics, which are f32; "${other[0].name}" is ${other[0].dtype}`,
    );
  }
  trace.setOutputs({
    loss,
    ...(count && { [COUNT]: count.cast("f32").reshape([]) }),
    ...Object.fromEntries(updates.map(([, value], i) => [statisticName(i), value])),
  });
  const plain = call(() => trace.graph.describe());
  return { ...traced, plain, text, statistics: updates.map(([parameter]) => parameter) };
}

/** Which stages hold what. */
export interface Holdings {
  /** The stage whose rank steps each trained parameter, in the order of the optimizer. */
  readonly owners: readonly number[];
  /** The stage that updates each running statistic. */
  readonly statistics: readonly number[];
  /** Further stages that read a trained parameter. */
  readonly readers: readonly ReadonlySet<number>[];
  /** Stages that read a running statistic. */
  readonly statisticReaders: readonly ReadonlySet<number>[];
}

/** A divided step, and who holds what of it. */
export class DividedStep {
  readonly graph: StageGraph;
  readonly boundaries: Boundaries;
  readonly holdings: Holdings;
  private readonly countValue: ValueId | undefined;

  constructor(traced: TracedStages, stageOfNode: readonly number[], stages: number) {
    const { bound, plain, statistics } = traced;
    const parameters = bound.parameters.map(({ native }) => native);
    this.graph = divideGraph(plain, stageOfNode, stages, parameters);
    this.countValue = this.graph.outputs.get(COUNT);
    this.boundaries = boundariesOf(this.graph, this.countValue === undefined ? [] : [this.countValue]);
    const stageOf = (value: ValueId) => this.graph.producer[value]!.stage;
    this.holdings = {
      owners: this.graph.gradients.map(stageOf),
      statistics: statistics.map((_, i) => stageOf(this.graph.outputs.get(statisticName(i))!)),
      readers: parameters.map((variable) => this.readersOf(variable)),
      statisticReaders: statistics.map(({ native }) => this.readersOf(native)),
    };
  }

  private readersOf(variable: NativeVariable): Set<number> {
    const { nodes, producer } = this.graph;
    const own = nodes.find(({ node }) => node.variable && call(() => node.variable!.is(variable)));
    const found = new Set<number>();
    if (!own) return found;
    const reaches = (value: ValueId): boolean => {
      const made = producer[value]!;
      return made === own || (made.isFree && !made.isSource && made.node.inputs.some(reaches));
    };
    for (const { node, stage, isSource, isFree } of nodes) {
      if (!isSource && !isFree && !found.has(stage) && node.inputs.some(reaches)) found.add(stage);
    }
    return found;
  }

  /** What the backward pass of a stage delivers, by the parameters of each bucket. */
  gradientDelivery(kind: string, native: StageExchange, indices: ReadonlyMap<Parameter, number>): Delivery {
    const values = native.buckets.map((bucket) => bucket.map((parameter) => this.graph.gradients[indices.get(parameter)!]!)); // prettier-ignore
    return this.delivery(native, values, kind === "rows" ? "share" : kind === "sum" ? "one" : this.countValue!);
  }

  /** What the forward pass of a stage delivers. */
  statisticDelivery(native: StageExchange, indices: ReadonlyMap<Parameter, number>): Delivery {
    const values = native.buckets.map((bucket) => bucket.map((parameter) => this.graph.outputs.get(statisticName(indices.get(parameter)!))!)); // prettier-ignore
    return this.delivery(native, values, "share");
  }

  private delivery({ native }: StageExchange, buckets: ValueId[][], weight: "share" | "one" | ValueId): Delivery {
    return {
      values: buckets.length === 0 ? [] : [...buckets.flat(), ...(typeof weight === "number" ? [weight] : [])],
      write: (graph, value) =>
        buckets.forEach((bucket, b) =>
          graph.gradientBucket(native, b, bucket.map(value), typeof weight === "number" ? value(weight) : weight),
        ),
    };
  }
}

/** The exchange of one stage between the ranks that hold it. */
export interface StageExchange {
  readonly native: InstanceType<typeof addon.Exchange>;
  readonly buckets: readonly (readonly Parameter[])[];
}

/** The compiled passes of a rank's stages for one number of rows. */
export class CompiledStages implements MicroBatchStages {
  readonly boundaries: Boundaries;
  readonly bytes: readonly number[];
  private readonly passes = new Map<string, CompiledPass | undefined>();

  /** @param delivery what a pass of a stage delivers. */
  constructor(
    { graph, boundaries }: DividedStep,
    stages: readonly number[],
    kinds: readonly PipelinePass[],
    delivery: (stage: number, pass: PipelinePass) => Delivery | undefined,
  ) {
    this.boundaries = boundaries;
    this.bytes = graph.bytes;
    for (const stage of stages) {
      for (const pass of kinds) {
        const own = pass === "I" ? undefined : delivery(stage, pass);
        const later = pass === "F" || pass === "I" ? delivery(stage, "W")?.values : undefined;
        this.passes.set(`${pass}${stage}`, compilePass({ graph, boundaries, stage, pass, delivery: own, later }));
      }
    }
  }

  pass(stage: number, pass: PipelinePass): CompiledPass | undefined {
    const key = `${pass}${stage}`;
    if (this.passes.has(key)) return this.passes.get(key);
    throw new InternalError(`pipeline: the pass ${key} was not compiled`);
  }

  /** All that there are. */
  all(): CompiledPass[] {
    return [...this.passes.values()].filter((pass) => pass !== undefined);
  }

  dispose(): void {
    for (const { native } of this.all()) native.dispose();
  }
}
