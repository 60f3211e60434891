// Parameters that an objective asks for itself: the sampler chooses those that trials had before, ahead of the trial.
import type { Sampler, SampleRequest } from "../samplers/sampler.js";
import type { Distribution, FlatSpace } from "../space/index.js";
import type { StoredTrial } from "../storage/storage.js";
import type { TrialRecord } from "./record.js";

/** Values by name. */
export type Foreseen = ReadonlyMap<string, { readonly distribution: Distribution; readonly value: number }>;

/**
 * What the objective of a trial may ask for, from the trials that it may see: those parameters that all of them have are chosen
 * together (the intersection search space of define-by-run interfaces), each other by itself. `request.space` is the space
 * that the study has beside.
 */
export async function foresee(sampler: Sampler, request: SampleRequest): Promise<Foreseen> {
  const known = new Map<string, { distribution: Distribution; count: number }>();
  const trials = request.history.filter((trial) => suggestedOf(trial) !== undefined);
  for (const trial of trials) {
    for (const [name, distribution] of Object.entries(suggestedOf(trial)!)) {
      const before = known.get(name);
      const isSame = before !== undefined && JSON.stringify(before.distribution) === JSON.stringify(distribution);
      known.set(name, { distribution, count: isSame ? before.count + 1 : 1 });
    }
  }
  const names = [...known.keys()];
  const together = names.filter((name) => known.get(name)!.count === trials.length);
  const groups = [together, ...names.filter((name) => !together.includes(name)).map((name) => [name])];
  const values = new Map<string, { distribution: Distribution; value: number }>();
  for (const group of groups) {
    if (group.length === 0) continue;
    const space: FlatSpace = {
      parameters: group.map((name) => ({
        name,
        path: [name],
        distribution: known.get(name)!.distribution,
        conditions: [],
      })),
    };
    const has = ({ params }: TrialRecord): boolean => group.every((name) => params[name] !== undefined);
    const { fixed: _, ...rest } = request;
    const params = await sampler.sample({ ...rest, space, history: request.history.filter(has), pending: request.pending.filter(has) }); // prettier-ignore
    for (const [name, value] of Object.entries(params ?? {})) {
      values.set(name, { distribution: known.get(name)!.distribution, value });
    }
  }
  return values;
}

const suggestedOf = (trial: TrialRecord): StoredTrial["suggested"] => (trial as StoredTrial).suggested;
