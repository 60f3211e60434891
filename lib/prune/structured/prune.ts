// `prune` with the option `structured`: a shrunk copy by any criterion, trained on if asked to.
import { checkOptions } from "../../errors.js";
import type { Module } from "../../nn/index.js";
import { aborted } from "../../tensor/program.js";
import { currentTrace } from "../../tensor/trace.js";
import { Cancellation } from "../../train/run/cancellation.js";
import { fit } from "../../train/fit.js";
import type { ScalarMetrics } from "../../train/index.js";
import { criterionInputs, statisticsOf } from "../criterion-inputs.js";
import { calibrationOf, type PruneOptions } from "../options.js";
import { Statistics } from "../statistics.js";
import { scoredParameters, scoreJob } from "./importance.js";
import { structuredNames, type StructuredOptions } from "./options.js";
import { draftPlan, finishPlan } from "./planning.js";

/** Options of `prune` for channels, neurons and heads. */
export interface StructuredPruneOptions<Metrics extends ScalarMetrics = ScalarMetrics>
  extends StructuredOptions, Pick<PruneOptions<Metrics>, "calibrate" | "loss" | "batchSize" | "signal" | "during"> {}

const dataNames = ["calibrate", "loss", "batchSize", "signal", "during"];

/** @internal A shrunk copy of the model, trained by `during` if that is given. Scores and training run off the event loop, tracing and cutting on it. */
export async function pruneStructured<M extends Module, const Metrics extends ScalarMetrics>(
  model: M,
  options: StructuredPruneOptions<Metrics>,
): Promise<M> {
  const where = "prune";
  checkOptions(where, options, [...structuredNames, ...dataNames]);
  const { calibrate, loss, batchSize, signal, during, ...choice } = options;
  if (signal?.aborted) throw aborted(where, signal);
  const draft = draftPlan(where, model, choice);
  const parameters = scoredParameters(draft.chosen);
  const cancellation = new Cancellation(signal);
  const statistics = new Statistics({
    where,
    model,
    parameters,
    names: statisticsOf(draft.criterion, parameters),
    calibration: calibrationOf(where, { calibrate, loss, batchSize }, during),
  });
  let small: M;
  try {
    await statistics.update(cancellation);
    const job = scoreJob(
      where,
      draft.chosen,
      (parameter) =>
        draft.criterion(
          criterionInputs(parameter.tensor(), (name) =>
            statistics.tensor(currentTrace(where), name, parameters.indexOf(parameter)),
          ),
        ),
      draft.seed,
    );
    small = finishPlan(draft, await job.run({ signal })).apply();
  } finally {
    statistics.dispose();
    cancellation.release();
  }
  if (!during) return small;
  try {
    const { data, ...recipe } = during;
    const signals = [signal, during.signal].filter((given) => given !== undefined);
    await fit(small, data, { ...recipe, ...(signals.length > 0 && { signal: AbortSignal.any(signals) }) });
    return small;
  } catch (thrown) {
    small.dispose();
    throw thrown;
  }
}
