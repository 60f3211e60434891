// Pruning a model: masks by a criterion, at once or along a schedule, with training under them. The model that is given is never
// changed; what comes back is a clone with masks.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { both } from "../checkpoint/index.js";
import { ArgumentError } from "../errors.js";
import { recordStep } from "../info/index.js";
import type { Module } from "../nn/module.js";
import { requireSound } from "../nn/sound.js";
import { anyOf, Cancellation } from "../train/run/cancellation.js";
import { fitWith } from "../train/fit.js";
import type { FitHooks } from "../train/run/hooks.js";
import type { ScalarMetrics } from "../train/index.js";
import { Snapshot } from "../train/run/snapshot.js";
import { aborted } from "../tensor/program.js";
import { Masker } from "./masker.js";
import {
  planMask,
  planPrune,
  requireMaskOptions,
  readCalibration,
  type During,
  type MaskOptions,
  type PruneOptions,
} from "./options.js";
import { keepReport } from "./report.js";
import { pruneStructured, type StructuredPruneOptions } from "./structured/prune.js";
import { oneShot, type LotterySchedule, type PruningSchedule } from "./schedule.js";

/**
 * Prunes a clone of a model: the weights that matter least become zero and stay so, in training too, and their moments with
 * them. With `during` the model is trained while the masks grow along `schedule`; masks change exactly at the steps that the
 * schedule names, and early stopping counts from the step on at which `amount` is reached. The same seed gives the same model.
 *
 * With `structured` whole channels, neurons or heads are taken away instead, and the shapes shrink (see `prune.plan`); `during`
 * trains what is left.
 *
 * @returns the pruned clone; pack it with `prune.pack` for less memory and faster runs.
 * @throws ArgumentError, ShapeError for options that do not fit the model; NonFiniteError for weights, samples, statistics or scores
 *   that are NaN or infinite; what `train.fit` throws. The promise rejects, and
 *   the model is as it was.
 * @example
 * const model = nn.sequential(nn.linear(8, 16), nn.relu(), nn.linear(16, 4));
 * const pruned = await prune(model, { amount: 0.75, scope: "global" });
 * (await prune.sparsity(pruned)).sparsity; // 0.75
 * const input = { dtype: "f32", shape: [8] } as const; // not needed for a model that was trained or run
 * const shrunk = await prune(model, { structured: "neurons", amount: 0.75, input });
 * shrunk.parameters()[0]!.shape; // [4, 8]
 */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- no metrics
export async function pruneModel<M extends Module, const Metrics extends ScalarMetrics = Record<never, never>>(
  model: M,
  given: PruneOptions<Metrics> | StructuredPruneOptions<Metrics>,
): Promise<M> {
  const where = "prune";
  const options = typeof given === "object" && given !== null ? await readCalibration(given) : given;
  if (typeof options === "object" && options !== null && "structured" in options)
    return pruneStructured(model, options);
  const { targets } = planPrune(where, model, options);
  await requireSound(where, model, targets.map(({ parameter }) => parameter)); // prettier-ignore
  if (options.signal?.aborted) throw aborted(where, options.signal);
  const clone = model.clone().assignNames();
  try {
    const { during, schedule = oneShot() } = options as PruneOptions;
    const masker = new Masker(planMask(where, clone, options, during));
    const cancellation = new Cancellation(anyOf(options.signal, during?.signal));
    try {
      const job = { clone, masker, cancellation, during };
      await (schedule.kind === "lottery" ? drawTicket(job, schedule) : pruneAlong(job, schedule));
      keepReport(clone, masker.notes);
    } finally {
      cancellation.release();
      masker.dispose();
    }
    recordPruning(clone, options, during ? clone.info.metrics : undefined);
    return clone;
  } catch (thrown) {
    clone.dispose();
    throw thrown;
  }
}

/**
 * Puts masks on the model itself, at once, without training: what {@link pruneModel prune} does at each step of its schedule.
 * What is masked already stays masked.
 *
 * @throws ArgumentError, ShapeError for options that do not fit; nothing has changed then.
 * @example
 * const layer = nn.linear(8, 4);
 * await prune.mask(layer, { structure: "2:4" });
 */
export async function mask(model: Module, given: MaskOptions): Promise<void> {
  const where = "prune.mask";
  requireMaskOptions(where, model, given);
  const options = await readCalibration(given);
  const { signal } = options;
  if (signal?.aborted) throw aborted(where, signal);
  const plan = planMask(where, model, options);
  await requireSound(where, model, plan.targets.map(({ parameter }) => parameter)); // prettier-ignore
  const masker = new Masker(plan);
  const cancellation = new Cancellation(signal);
  try {
    await masker.update((amount) => amount, cancellation, 0);
    keepReport(model, masker.notes);
  } finally {
    cancellation.release();
    masker.dispose();
  }
  recordPruning(model, options);
}

function recordPruning(
  model: Module,
  { amount, scope, criterion, structure, schedule, seed: from }: Partial<PruneOptions>,
  metrics?: Readonly<Record<string, number>>,
): void {
  const named = { criterion: criterion?.name, schedule: schedule?.kind };
  recordStep(model, "prune", { amount, scope, structure, ...named, seed: from }, metrics);
}

interface Job {
  readonly clone: Module;
  readonly masker: Masker;
  readonly cancellation: Cancellation;
  readonly during: During | undefined;
}

/** One run under masks that grow. */
async function pruneAlong({ clone, masker, cancellation, during }: Job, schedule: PruningSchedule): Promise<void> {
  const update = (step: number) => masker.update((amount) => schedule.at(step, amount), cancellation, step);
  if (schedule.start === 0) await update(0);
  if (!during) return;
  const hooks: FitHooks = {
    begin: (steps) => requireLength(schedule, steps),
    due: (step) => schedule.next(step),
    pause: update,
    settled: (step) => step >= schedule.end,
    identity: { pruning: masker.describe(), schedule: [schedule.kind, schedule.start, schedule.end, schedule.length] },
    participant: masker.statistics.participant(),
    trace: (trace, gradients) => masker.statistics.follow(trace, gradients),
  };
  masker.statistics.beginTraining();
  await train(clone, during, cancellation, hooks);
}

/** Rounds that start again from early weights, under more and more of a mask. */
async function drawTicket({ clone, masker, cancellation, during }: Job, schedule: LotterySchedule): Promise<void> {
  const { rounds, rewindTo } = schedule;
  const early = new Snapshot(clone.parameters());
  try {
    if (rewindTo === 0) await early.save();
    for (let round = 0; round <= rounds; round++) {
      const saves = round === 0 && rewindTo > 0;
      const hooks: FitHooks = {
        begin: (steps) => requireRewind(rewindTo, steps),
        firstStep: round === 0 ? 0 : rewindTo,
        due: (step) => (saves && step < rewindTo ? rewindTo : Infinity),
        pause: () => early.save(),
        identity: { pruning: masker.describe(), schedule: ["lottery", rounds, rewindTo, round] },
        participant: both(masker.statistics.participant(), early.participant()),
        trace: (trace, gradients) => masker.statistics.follow(trace, gradients),
      };
      masker.statistics.beginTraining();
      await train(clone, ofRound(during!, round), cancellation, hooks);
      if (round === rounds) return;
      await masker.update((amount) => schedule.after(round + 1, amount), cancellation, round);
      await early.restore();
      for (const parameter of clone.parameters()) parameter.applyMask();
    }
  } finally {
    early.dispose();
  }
}

// Every round keeps its checkpoints in a folder of its own. A round that had come to its end is not run again: its last checkpoint
// gives what the next one starts from.
function ofRound(during: During, round: number): During {
  const { checkpoint, resume = false } = during;
  const folder = `round-${round}`;
  return {
    ...during,
    ...(checkpoint && { checkpoint: { ...checkpoint, dir: join(checkpoint.dir, folder) } }),
    ...(resume !== false && resume !== "auto" && { resume: existsSync(join(resume, folder)) && join(resume, folder) }),
  };
}

async function train(clone: Module, during: During, cancellation: Cancellation, hooks: FitHooks): Promise<void> {
  const { data, ...recipe } = during;
  await fitWith(clone, data, { ...recipe, signal: cancellation.signal }, hooks);
}

function requireLength(schedule: PruningSchedule, steps: number): void {
  if (schedule.length <= steps) return;
  throw new ArgumentError(
    `prune: the schedule prune.${schedule.kind} takes ${schedule.length} training steps, the run has ${steps}; shorten it or give during more epochs or steps`,
  );
}

function requireRewind(rewindTo: number, steps: number): void {
  if (rewindTo < steps) return;
  throw new ArgumentError(
    `prune: prune.lottery goes back to step ${rewindTo}, the run has ${steps} steps; give a smaller rewindTo or a longer run`,
  );
}
