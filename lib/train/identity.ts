// What a run of `fit` is made of, so that a checkpoint is not taken for another run's.
import { createHash } from "node:crypto";
import { fingerprint } from "../data/fingerprint.js";
import type { Dataset } from "../data/index.js";
import { sampled, type Identity, type Json } from "../checkpoint/index.js";
import type { NamedParameter } from "../nn/index.js";
import type { BoundOptimizer } from "../optim/index.js";
import type { NdArray } from "../tensor/nd-array.js";
import type { FitPlan } from "./fit-options.js";

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
  const { dataset, validate, signal, steps, stepsPerEpoch, batchSize, seed, shuffle, stopping } = plan;
  const ofData = async (set: Dataset): Promise<Record<string, Json>> => ({
    samples: set.length,
    x: typeOf(set.x),
    y: typeOf(set.y),
    content: `${await fingerprint(where, set.x, signal)} ${await fingerprint(where, set.y, signal)}`,
  });
  const { optimizer } = bound;
  const rates: Record<string, Json> = {};
  for (let step = 0; step < steps; step = Math.max(1, step * 4)) {
    rates[`${sampled}${step}`] = [...(bound.hyperAt(step, steps).data as Float64Array)];
  }
  return {
    model: Object.fromEntries(
      parameters.map(({ name, parameter }) => [
        name,
        `${parameter.dtype} [${parameter.shape.join(", ")}]${parameter.trainable ? "" : " frozen"}`,
      ]),
    ),
    data: await ofData(dataset),
    optimizer: {
      rule: optimizer.rule,
      clipNorm: optimizer.clipNorm ?? null,
      clipValue: optimizer.clipValue ?? null,
      ...rates,
    },
    loss: { graph: createHash("sha256").update(graph).digest("hex") },
    length: { steps },
    options: {
      batchSize,
      stepsPerEpoch,
      seed,
      shuffle,
      validation: validate ? { ...(await ofData(validate.on)), every: validate.every } : null,
      metrics: validate ? Object.keys(validate.metrics) : null,
      earlyStopping: stopping ? stopping.describe() : null,
      ...further,
    },
  };
}

const typeOf = ({ dtype, shape }: NdArray): string => `${dtype} [${shape.slice(1).join(", ")}]`;
