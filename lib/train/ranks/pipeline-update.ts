// The update of the parameters that a rank steps, by the sums of their gradients over all micro-batches and copies.
import { addon, call } from "../../native/index.js";
import type { BoundOptimizer } from "../../optim/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import { Program } from "../../tensor/program.js";
import type { PipelinePass } from "../../pipeline/index.js";
import { Trace } from "../../tensor/trace.js";
import { HYPER, REPORT } from "../step/step-program.js";
import type { PipelineLayout } from "./pipeline-layout.js";
import type { StageExchange } from "./pipeline-stages.js";
import { bucketsOf } from "./sharded-step.js";

/** The exchange of one stage's gradients or statistics, in the order in which the backward pass comes to them. */
export function stageExchange(
  layout: PipelineLayout,
  parameters: readonly Parameter[],
  bytes: number,
  what: string,
): StageExchange {
  const buckets = bucketsOf(parameters, bytes, what);
  const native = call(
    () =>
      new addon.Exchange(
        layout.microBatches,
        buckets.map(({ parameters: members, detail }) => ({ elements: members.map(({ size }) => size), detail })),
        new addon.RankGroup(`ranks with the same stages`, layout.sameStage),
      ),
  );
  return { native, buckets: buckets.map(({ parameters: members }) => members) };
}

/** A compiled update. */
export interface OwnUpdate {
  /** Undefined on a rank that has nothing to change. */
  readonly program: Program | undefined;
  /** Whether it steps the optimizer. */
  readonly takesSteps: boolean;
  /** The names of the update's inputs, by exchange and bucket. */
  readonly names: readonly (readonly (readonly string[])[])[];
  dispose(): void;
}

/** Compiles the update of the parameters `own`, in the order of the rank's optimizer, and of its running statistics. */
export function compileOwnUpdate(
  where: string,
  bound: BoundOptimizer,
  own: readonly Parameter[],
  gradients: readonly StageExchange[],
  statistics: readonly StageExchange[],
): OwnUpdate {
  const places = new Map(own.map((parameter, i) => [parameter, i]));
  const names = [
    ...gradients.map(({ buckets }) => buckets.map((bucket) => bucket.map((each) => `#gradient${places.get(each)!}`))),
    ...statistics.map(({ buckets }, e) => buckets.map((bucket, b) => bucket.map((_, i) => `#statistic${e}.${b}.${i}`))),
  ];
  const running = statistics.flatMap(({ buckets }, e) =>
    buckets.flatMap((bucket, b) => bucket.map((parameter, i) => ({ parameter, name: `#statistic${e}.${b}.${i}` }))),
  );
  if (own.length === 0 && running.length === 0)
    return { program: undefined, takesSteps: false, names, dispose: () => undefined };
  const trace = new Trace({ training: true });
  const loss = trace.input("#loss", "f32", []);
  const ids = own.map(({ shape }, i) => trace.input(`#gradient${i}`, "f32", shape).id);
  for (const { parameter, name } of running) trace.update(parameter, trace.input(name, "f32", parameter.shape));
  const hyper = trace.input(HYPER, "f64", bound.hyperShape);
  const report =
    own.length > 0
      ? call(() => trace.graph.optimizerStep(bound.native, ids, hyper.id, loss.id))
      : trace.scalar(0, "f64").broadcastTo([4]).id;
  trace.commit(loss.isFinite());
  call(() => trace.graph.setOutputs([REPORT], [report]));
  const program = new Program(trace.compile(), where);
  const dispose = () => {
    program.dispose();
    trace.graph.dispose();
  };
  return { program, takesSteps: own.length > 0, names, dispose };
}

/** The number of the exchange that takes what a pass delivers: gradients go with the last pass of a micro-batch. -1 for none. */
export function exchangeOf(
  chunk: number,
  pass: PipelinePass,
  gradients: readonly StageExchange[],
  statistics: readonly StageExchange[],
): number {
  if (pass === "I") return -1;
  const list = pass === "F" ? statistics : gradients;
  if (list[chunk]!.buckets.length === 0) return -1;
  return pass === "F" ? gradients.length + chunk : chunk;
}
