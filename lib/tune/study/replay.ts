// The record of a study, played again: every trial keeps what its sampler had seen, as a revision of the study, so that its parameters can
// be computed anew in any order of ends, also those of a search in free order.
import { requireFields } from "../../guidance/arguments.js";
import { isComplete, type Params } from "../space/index.js";
import type { Sampler } from "../samplers/sampler.js";
import type { StoredTrial } from "../storage/storage.js";
import type { Study } from "./study.js";
import { checkOptions } from "../../errors.js";

/** What {@link replay} found. */
export interface Replay {
  /** Trials whose parameters the sampler chose, and gives again. */
  readonly same: number;
  /** Those for which it gives others; internal values. */
  readonly different: readonly {
    readonly number: number;
    readonly recorded: Params;
    readonly replayed: Params | undefined;
  }[];
}

/**
 * Asks a sampler again for the parameters of every trial, of what the trial's own sampler had seen: the trials that had ended and those
 * that were running at that moment. A search in the mode "free", which gives other trials every time, can be checked and explained so.
 * What pruners decided is taken from the record. Trials whose parameters were given (enqueued) are left out, and so are parameters
 * that an objective asked for itself.
 *
 * @param options.trials the budget that the search was given, where its sampler looks at it. Default the number of trials.
 * @example
 * const study = await tune({ x: tune.uniform(-1, 1) }, (_, { params }) => params.x ** 2, {
 *   trials: 30, mode: "free", concurrency: 4, sampler: tune.tpe(),
 * });
 * const { same, different } = await tune.replay(study, tune.tpe());
 * same; // 30
 * different.length; // 0
 */
export async function replay<P>(
  study: Pick<Study<P>, "records" | "spec">,
  sampler: Sampler,
  options: { readonly trials?: number } = {},
): Promise<Replay> {
  requireFields("tune.replay", study, ["records", "spec"], "a study, as tune or tune.load gives it");
  requireFields("tune.replay", sampler, ["name"], "a sampler such as tune.tpe()");
  checkOptions("tune.replay", options, ["trials"]);
  const { records, spec } = study;
  const { space, seed, directions, constraints } = spec;
  const own = new Set(space.parameters.map(({ name }) => name));
  const different: Replay["different"][number][] = [];
  let same = 0;
  for (const trial of records) {
    const { number, fixed, seen } = trial;
    if (seen === undefined || (fixed !== undefined && isComplete(space, fixed))) continue;
    const { history, pending } = sightThen(study, trial);
    const request = { space, number, seed, directions, history, pending, constraints, budget: options.trials ?? records.length }; // prettier-ignore
    const replayed = await sampler.sample(fixed === undefined ? request : { ...request, fixed });
    const recorded = Object.fromEntries(Object.entries(trial.params).filter(([name]) => own.has(name)));
    if (isSame(recorded, replayed)) same++;
    else different.push({ number, recorded, replayed });
  }
  return { same, different };
}

function sightThen({ records, spec }: Pick<Study, "records" | "spec">, trial: StoredTrial) {
  const { mode, lag, past } = spec;
  const { number, seen = 0 } = trial;
  const running = ({ number: n, params }: StoredTrial) => ({ number: n, state: "running", params, intermediate: [] }) as const; // prettier-ignore
  if (mode === "deterministic") {
    const end = Math.max(0, number - lag + 1);
    const before = records.filter((each) => each.number < number);
    const pending = before.filter((each) => each.number >= end).map(running);
    return { history: [...past, ...before.filter((each) => each.number < end)], pending };
  }
  const hadEnded = ({ endedAt }: StoredTrial): boolean => endedAt !== undefined && endedAt <= seen;
  const wasOpen = (each: StoredTrial): boolean => each !== trial && each.sampledAt !== undefined && each.sampledAt <= seen && !hadEnded(each); // prettier-ignore
  return { history: [...past, ...records.filter(hadEnded)], pending: records.filter(wasOpen).map(running) };
}

function isSame(a: Params, b: Params | undefined): boolean {
  const names = Object.keys(a);
  return (
    b !== undefined && Object.keys(b).length === names.length && names.every((name) => Object.is(a[name], b[name]))
  );
}
