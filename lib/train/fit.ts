// Training a model on a data set.
import { ArgumentError } from "../errors.js";
import type { BatchSource, Samples } from "../data/index.js";
import { infoOf, replaceInfo } from "../info/index.js";
import type { ModuleLike } from "../nn/index.js";
import { aborted } from "../tensor/program.js";
import { anyOf, Cancellation } from "./run/cancellation.js";
import { planFit, type FitOptions } from "./fit-options.js";
import type { FitResult, ScalarMetrics, StepEvent } from "./run/records.js";
import type { FitHooks } from "./run/hooks.js";
import { learnInfo, recordRun } from "./known.js";
import { joinRanks, tellRanks } from "./ranks/ranks.js";
import { Run } from "./run/run.js";
import { SignalWatch } from "./run/signals.js";
import { belongTo } from "./run/trial.js";
import { Trainer } from "./trainer.js";

/** A run of {@link fit}: an async iterable of step events, and a promise of its result. */
export type FitRun<Metrics extends ScalarMetrics = ScalarMetrics> = Run<StepEvent, FitResult<Metrics>>;

const training = new WeakSet<object>();

/**
 * Trains a model on samples in memory, or on a source of samples that is read while it goes on. The run begins by itself, in the next turn of the event loop; `await` it for its result, iterate over it for
 * its steps, or both. Steps, shuffling and batching happen in the engine, off the event loop. The same seed gives the same
 * weights to the bit, on any number of threads.
 *
 * x is read by the rule that the samples carry (`data.mnist`, `data.images`), else as the numbers they are; the model knows from
 * then on what they say of themselves, classes included (`model.info`). Leaving the loop over the events ends the run; the weights are then
 * whole, up to a tenth of a second ahead of the last event read. With early stopping the best weights are restored on every
 * way out, abort and errors included, unless `restoreBest` is false.
 *
 * @throws ArgumentError for unknown options and values out of range, ShapeError for x and y of different lengths, NonFiniteError
 *   for NaN in the data: all at once. The run rejects with ShapeError or DTypeError where model, data and loss do not fit,
 *   ArgumentError for a label that is no class or a schedule that leaves its range, AbortedError when the signal fires;
 *   NonFiniteError for a loss or gradient that is not finite, in which step no weight has changed, and for an update that is not
 *   finite, whose elements keep their values: no run leaves NaN or Infinity in the weights.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(8), [4, 2]), y: array(Uint8Array.of(0, 1, 2, 0)) });
 * const run = train.fit(nn.linear(2, 3), set, {
 *   loss: loss.crossEntropy(),
 *   optimizer: optim.adamW({ lr: schedule.cosine({ peak: 1e-3, warmup: 0.05 }) }),
 *   batchSize: 2, epochs: 3, seed: 7,
 *   validate: { on: set, metrics: { accuracy: metrics.accuracy() } },
 *   earlyStopping: { monitor: "val.accuracy", patience: 3 },
 * });
 * for await (const { index, loss, lr } of run) console.log(index, loss, lr);
 * const { best, history } = await run;
 */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- no metrics: no metrics of metrics
export function fit<const Metrics extends ScalarMetrics = Record<never, never>>(
  model: ModuleLike,
  dataset: Samples | BatchSource,
  options: FitOptions<Metrics>,
): FitRun<Metrics> {
  return fitWith(model, dataset, options, {});
}

/** @internal {@link fit} for the modules that take part in the run. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- no metrics: no metrics of metrics
export function fitWith<const Metrics extends ScalarMetrics = Record<never, never>>(
  model: ModuleLike,
  dataset: Samples | BatchSource,
  given: FitOptions<Metrics>,
  own: FitHooks,
): FitRun<Metrics> {
  const where = "train.fit";
  const { options, hooks } = belongTo(given ?? ({} as FitOptions<Metrics>), own); // what is missing, planFit says
  const asked = planFit(model, dataset, options);
  hooks.begin?.(asked.steps);
  const watch = asked.signals ? new SignalWatch() : undefined;
  const plan = watch ? { ...asked, signal: anyOf(asked.signal, watch.aborts) } : asked;
  const cancellation = new Cancellation(plan.signal);
  const run = new Run<StepEvent, FitResult>(
    async (context) => {
      if (training.has(model)) {
        cancellation.release();
        watch?.release();
        throw new ArgumentError(`${where}: the model is being trained by another run; await that run first`);
      }
      training.add(model);
      let trainer: Trainer | undefined;
      try {
        if (plan.signal?.aborted) throw aborted(where, plan.signal);
        if (plan.parallel) await joinRanks(where, plan.parallel.deadline);
        const { distill, model, dataset, batchSize, signal } = plan;
        const before = infoOf(model);
        learnInfo(where, model, dataset, distill?.info);
        try {
          const columns = await distill?.prepare({ where, model, dataset, batchSize, signal });
          trainer = new Trainer(plan, cancellation, context, hooks, columns);
        } catch (thrown) {
          replaceInfo(model, before);
          throw thrown;
        }
        const result = await trainer.run();
        recordRun(plan, result);
        return result;
      } catch (thrown) {
        if (plan.parallel) tellRanks(where, trainer?.step ?? -1, thrown);
        throw thrown;
      } finally {
        training.delete(model);
        cancellation.release();
        watch?.release();
      }
    },
    { onLeave: () => cancellation.raise() },
  );
  cancellation.onRaise(() => run.release());
  return run;
}
