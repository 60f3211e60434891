// What a run of `fit` is made of, so that a checkpoint is not taken for another run's.
import { createHash } from "node:crypto";
import { fingerprint } from "../../data/fingerprint.js";
import { isSource } from "../../data/index.js";
import { byDivision, sampled, type Identity, type Json } from "../../checkpoint/index.js";
import type { NamedParameter } from "../../nn/index.js";
import type { BoundOptimizer, Optimizer } from "../../optim/index.js";
import type { FitPlan } from "../fit-options.js";
import { mayRewind } from "./guard.js";
import { typesOfData, type RunData } from "../data/run-data.js";

/** What {@link identityOf} looks at. */
export interface IdentitySource {
  readonly where: string;
  readonly plan: FitPlan;
  readonly parameters: readonly NamedParameter[];
  readonly bound: BoundOptimizer;
  /** The graph of a step as text. */
  readonly graph: string;
  /** Further options. */
  readonly further: Readonly<Record<string, Json>>;
}

/** The identity of a run. @throws AbortedError */
export async function identityOf(source: IdentitySource): Promise<Identity> {
  const { where, plan, parameters, bound, graph, further } = source;
  const { dataset, validate, signal, steps, stepsPerEpoch, batchSize, seed, shuffle, stopping, plateau } = plan;
  const { optimizer } = bound;
  const divided = parameters.some(({ parameter }) => parameter.parametrization?.part);
  const rates: Record<string, Json> = {};
  for (let step = 0; step < steps; step = Math.max(1, step * 4)) {
    rates[`${sampled}${step}`] = [...(bound.hyperAt(step, steps).data as Float64Array)];
  }
  return {
    model: Object.fromEntries(
      parameters.map(({ name, parameter }) => [
        name,
        `${parameter.dtype} [${(parameter.parametrization?.part?.shape ?? parameter.shape).join(", ")}]${parameter.trainable ? "" : " frozen"}`,
      ]),
    ),
    data: await ofData(where, dataset, signal),
    optimizer: {
      rule: optimizer.rule,
      clipNorm: optimizer.clipNorm ?? null,
      clipValue: optimizer.clipValue ?? null,
      states: codecsOf(optimizer),
      ...rates,
    },
    // The graphs of a divided model differ by rank and number of ranks; that they fit together is proved when they first run.
    loss: { graph: divided ? byDivision : createHash("sha256").update(graph).digest("hex") },
    length: { steps },
    options: {
      batchSize,
      accumulate: plan.accumulate,
      average: plan.average ? [plan.average.kind, plan.average.options] : null,
      onNonFinite: plan.guard.onNonFinite,
      onSpike: plan.guard.onSpike && { ...plan.guard.onSpike },
      rewind: mayRewind(plan.guard) ? { ...plan.guard.rewind } : undefined,
      stepsPerEpoch: stepsPerEpoch ?? null,
      seed,
      shuffle,
      validation: validate ? { ...(await ofData(where, validate.on, signal)), every: validate.every, ...(validate.training && { training: validate.training.length ?? null }) } : null, // prettier-ignore
      metrics: validate ? Object.keys(validate.metrics) : null,
      earlyStopping: stopping ? stopping.describe() : null,
      reduceOnPlateau: plateau && { ...plateau.plan },
      ...(divided && { shards: byDivision }), // unless the batch is divided as well
      ...further,
    },
  };
}

// Of the optimizer and its groups; f32, as which older checkpoints count, is not told.
function codecsOf({ states, groups }: Optimizer): Json | undefined {
  const all = [states, ...groups.map((group) => group.states)];
  return all.every((each) => each === "f32") ? undefined : all;
}

/** What data are: kinds of samples, how many, and by what their content is known again. */
async function ofData(where: string, data: RunData, signal: AbortSignal | undefined): Promise<Record<string, Json>> {
  const { x, y } = typesOfData(data);
  const typeOf = ({ dtype, shape }: typeof x) => `${dtype} [${shape.join(", ")}]`;
  const content = isSource(data)
    ? await data.identity()
    : `${await fingerprint(where, data.x, signal)} ${await fingerprint(where, data.y, signal)}`;
  return { samples: data.length ?? null, x: typeOf(x), y: typeOf(y), content };
}
