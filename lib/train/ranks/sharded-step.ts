// A training step in two programs, so that the gradients of several shards, on any rank, can be added up between them: the passes
// over one shard, which deliver their gradients bucket by bucket, and the update.
import { UnsupportedError } from "../../errors.js";
import { addon, call } from "../../native/index.js";
import type { NativeExchange, NativeRankGroup } from "../../native/ranks.js";
import type { BoundOptimizer } from "../../optim/index.js";
import type { ZeroStage } from "./parallelism.js";
import type { Parameter } from "../../tensor/parameter.js";
import { Program } from "../../tensor/program.js";
import { Trace } from "../../tensor/trace.js";
import { COUNT } from "../step/loss-total.js";
import {
  HYPER,
  REPORT,
  differentiated,
  traceForward,
  type StepProgram,
  type StepSource,
  type TracedPass,
} from "../step/step-program.js";

/** A bucket of the exchange: what it carries. */
interface Bucket {
  readonly parameters: readonly Parameter[];
  readonly detail: string;
}

/** How an exchange is divided. */
export interface ExchangeOptions {
  readonly shards: number;
  readonly bucketBytes: number;
  /** The ranks that have shards of a batch; undefined for all. */
  readonly group: NativeRankGroup | undefined;
  /** Whether each rank gets the sums of its own elements alone (1), and keeps no others (2). */
  readonly zero: ZeroStage;
}

/** What is exchanged in a step: gradients in the order in which the backward pass comes to them, then statistics. */
export class ShardedExchange {
  readonly native: NativeExchange;
  readonly gradients: readonly Bucket[];
  /** Running statistics, such as those of batch norms: the mean over the shards. */
  readonly statistics: readonly Bucket[];

  constructor(where: string, traced: TracedPass, { shards, bucketBytes, group, zero }: ExchangeOptions) {
    const { bound, trace } = traced;
    this.gradients = bucketsOf([...bound.parameters].reverse(), bucketBytes, "gradients");
    const statistics = trace.pendingUpdates().map(([parameter]) => parameter);
    const other = statistics.find(({ dtype }) => dtype !== "f32");
    if (other) {
      throw new UnsupportedError(
        `${where}: ranks take the mean of running statistics, which are f32; "${other.name}" is ${other.dtype}`,
      );
    }
    this.statistics = bucketsOf(statistics, bucketBytes, "statistics");
    const buckets = [...this.gradients, ...this.statistics].map(({ parameters, detail }, b) => {
      const divided = zero > 0 && b < this.gradients.length;
      return { elements: parameters.map(({ size }) => size), detail, scatter: divided, part: divided && zero > 1 };
    });
    this.native = call(() => new addon.Exchange(shards, buckets, group), where);
  }

  /** The names of the update's inputs, by bucket. */
  get tensors(): string[][] {
    return [...this.gradients, ...this.statistics].map(({ parameters }, b) =>
      parameters.map((_, i) => inputName(b, i)),
    );
  }

  dispose(): void {
    this.native.dispose();
  }
}

const inputName = (bucket: number, index: number): string => `#exchanged${bucket}.${index}`;

/** Tensors side by side in pieces of at most `bytes`, larger ones alone. */
export function bucketsOf(parameters: readonly Parameter[], bytes: number, what: string): Bucket[] {
  const groups: Parameter[][] = [];
  let held = Infinity;
  for (const parameter of parameters) {
    const own = parameter.size * 4;
    if (held + own > bytes) {
      groups.push([]);
      held = 0;
    }
    groups.at(-1)!.push(parameter);
    held += own;
  }
  return groups.map((group, i) => ({ parameters: group, detail: `bucket ${i} of the ${what}` }));
}

/** The passes over a shard. */
export interface TracedShard extends TracedPass {
  /** The forward pass as text: what the run computes, however it is divided. */
  readonly text: string;
}

/** The passes over a shard, traced. @throws what tracing throws. */
export function traceShard(source: StepSource): TracedShard {
  const forward = traceForward(source);
  const text = call(() => forward.trace.graph.print("text"));
  return { ...differentiated(forward), text };
}

/** Compiles the passes over a shard: outputs "loss", and {@link COUNT} where the loss does not count every row. */
export function compileShard(where: string, traced: TracedShard, exchange: ShardedExchange): StepProgram {
  const { trace, loss, kind, count, bound, gradients, text } = traced;
  if (kind === "part count" || kind === "part sum") {
    throw new UnsupportedError(
      `${where}: a loss that counts some rows, or sums, beside distillation is not divided among ranks yet; train on one rank, or by a loss that is a mean over all rows`,
    );
  }
  const of = new Map(bound.parameters.map((parameter, i) => [parameter, gradients[i]!]));
  const updates = new Map(trace.pendingUpdates());
  const weight = kind === "rows" ? "share" : kind === "sum" ? "one" : count!.cast("f32").reshape([]).id;
  exchange.gradients.forEach(({ parameters }, b) => {
    const ids = parameters.map((parameter) => of.get(parameter)!.id);
    call(() => trace.graph.gradientBucket(exchange.native, b, ids, weight));
  });
  exchange.statistics.forEach(({ parameters }, b) => {
    const ids = parameters.map((parameter) => updates.get(parameter)!.id);
    call(() => trace.graph.gradientBucket(exchange.native, exchange.gradients.length + b, ids, "share"));
  });
  trace.setOutputs({ loss, ...(count && { [COUNT]: count.cast("f32").reshape([]) }) });
  const program = new Program(trace.compile(), where);
  const dispose = () => {
    program.dispose();
    trace.graph.dispose();
  };
  return { program, bound, kind, numbers: trace.stepNumbers(), graph: () => text, dispose };
}

/** The update by what was exchanged. */
export function compileUpdate(
  where: string,
  bound: BoundOptimizer,
  exchange: ShardedExchange,
): { readonly program: Program; dispose(): void } {
  const trace = new Trace({ training: true });
  const loss = trace.input("#loss", "f32", []);
  const gradients = new Map<Parameter, number>();
  exchange.gradients.forEach(({ parameters }, b) =>
    parameters.forEach((parameter, i) => {
      gradients.set(parameter, trace.input(inputName(b, i), "f32", parameter.shape).id);
    }),
  );
  exchange.statistics.forEach(({ parameters }, b) =>
    parameters.forEach((parameter, i) => {
      trace.update(parameter, trace.input(inputName(exchange.gradients.length + b, i), "f32", parameter.shape));
    }),
  );
  const hyper = trace.input(HYPER, "f64", bound.hyperShape);
  const ids = bound.parameters.map((parameter) => gradients.get(parameter)!);
  const report = call(() => trace.graph.optimizerStep(bound.native, ids, hyper.id, loss.id));
  trace.commit(loss.isFinite());
  call(() => trace.graph.setOutputs([REPORT], [report]));
  const program = new Program(trace.compile(), where);
  const dispose = () => {
    program.dispose();
    trace.graph.dispose();
  };
  return { program, dispose };
}
