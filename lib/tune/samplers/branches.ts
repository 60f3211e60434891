// Conditional spaces: a branch that looks bad after a few trials may hold the best ones. Some trials therefore go to the branch with
// the fewest, whatever the model says; within a branch the model chooses as always.
import { cardinality, isActive, valueAt, type FlatSpace, type Params, type SpaceParameter } from "../space/index.js";
import { Draws } from "../random/philox.js";
import type { TrialRecord } from "../study/record.js";
import type { SampleRequest } from "./sampler.js";

const mostBranches = 32;

/** The values of those parameters that others hang on: one entry a branch. Empty where nothing is conditional, or too much is. */
export function branchesOf(space: FlatSpace): readonly Params[] {
  let branches = known.get(space);
  if (branches === undefined) known.set(space, (branches = listBranches(space)));
  return branches;
}

const known = new WeakMap<FlatSpace, readonly Params[]>();

function listBranches(space: FlatSpace): Params[] {
  const named = new Set(space.parameters.flatMap(({ conditions }) => conditions.map(({ on }) => on)));
  const deciding = space.parameters.filter(({ name }) => named.has(name));
  let branches: Params[] = [{}];
  for (const parameter of deciding) {
    branches = branches.flatMap((branch) => extended(branch, parameter));
    if (branches.length > mostBranches) return [];
  }
  return branches.length > 1 ? branches : [];
}

function extended(branch: Params, parameter: SpaceParameter): Params[] {
  if (!isActive(parameter, branch)) return [branch];
  const { name, distribution } = parameter;
  const count = cardinality(distribution);
  if (count > mostBranches) return Array.from({ length: mostBranches + 1 }, () => branch);
  return Array.from({ length: count }, (_, i) => ({ ...branch, [name]: valueAt(distribution, i) }));
}

const belongs = (params: Params, branch: Params): boolean =>
  Object.entries(branch).every(([name, value]) => params[name] === value);

/** How many trials each branch has had. */
export function trialsByBranch(branches: readonly Params[], ...lists: readonly (readonly TrialRecord[])[]): number[] {
  const counts = branches.map(() => 0);
  for (const list of lists) {
    for (const { params } of list) {
      const i = branches.findIndex((branch) => belongs(params, branch));
      if (i >= 0) counts[i]!++;
    }
  }
  return counts;
}

/** Trials of a branch below which every second trial of the study goes to the branch with the fewest; later every fourth. */
const enough = 30;

/** What to fix for this trial: the request's own values, with those of a branch where its turn has come. */
export function branchToTry(request: SampleRequest): Params | undefined {
  const { space, number, seed, history, pending, fixed } = request;
  const branches = branchesOf(space).filter((branch) =>
    Object.entries(branch).every(([name, value]) => fixed?.[name] === undefined || fixed[name] === value),
  );
  if (branches.length < 2 || number % 2 === 0) return fixed;
  const counts = trialsByBranch(branches, history, pending);
  const least = Math.min(...counts);
  if (least >= enough && number % 4 !== 1) return fixed;
  const candidates = branches.filter((_, i) => counts[i] === least);
  return { ...candidates[new Draws(seed, number, "branch").below(candidates.length)], ...fixed };
}
