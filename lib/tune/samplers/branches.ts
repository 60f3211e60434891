// Conditional and mixed spaces: a branch that looks bad after a few trials may hold the best ones, in a small region of it. Some
// trials therefore go to the branch with the fewest, whatever the model says: the first ones of a branch spread over it, later ones where a
// model of this branch alone sends them.
import { cardinality, isActive, valueAt, type FlatSpace, type Params, type SpaceParameter } from "../space/index.js";
import { Draws } from "../random/philox.js";
import { Following } from "./follow.js";
import { quasiParams } from "./quasi-point.js";
import type { TrialRecord } from "../study/record.js";
import type { SampleRequest } from "./sampler.js";

const mostBranches = 32;
const mostMixed = 8;

const known = new WeakMap<FlatSpace, readonly Params[]>();

/**
 * The values of those parameters that others hang on, one entry a branch; without such parameters the values of all choices, if
 * there are few. Empty where there is one branch, or too many.
 */
export function branchesOf(space: FlatSpace): readonly Params[] {
  let branches = known.get(space);
  if (branches === undefined) {
    const named = new Set(space.parameters.flatMap(({ conditions }) => conditions.map(({ on }) => on)));
    const conditional = named.size > 0;
    const deciding = space.parameters.filter(({ name, distribution }) => {
      return conditional ? named.has(name) : distribution.kind === "choice";
    });
    branches = combinations(deciding, conditional ? mostBranches : mostMixed);
    known.set(space, branches);
  }
  return branches;
}

function combinations(deciding: readonly SpaceParameter[], most: number): Params[] {
  let branches: Params[] = [{}];
  for (const parameter of deciding) {
    branches = branches.flatMap((branch) => extended(branch, parameter));
    if (branches.length > most) return [];
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

/** How many trials each branch of a space has had. */
class BranchCounts extends Following {
  readonly counts: number[];
  private readonly branches: readonly Params[];

  constructor(branches: readonly Params[]) {
    super();
    this.branches = branches;
    this.counts = branches.map(() => 0);
  }

  protected add(record: TrialRecord): void {
    this.change(record, 1);
  }
  protected remove(record: TrialRecord): void {
    this.change(record, -1);
  }
  private change({ params }: TrialRecord, by: number): void {
    const i = this.branches.findIndex((branch) => belongs(params, branch));
    if (i >= 0) this.counts[i]! += by;
  }

  /** With those of trials that are running. */
  with(pending: readonly TrialRecord[]): number[] {
    const running = new BranchCounts(this.branches);
    running.update(pending);
    return this.counts.map((count, i) => count + running.counts[i]!);
  }
}

const counted = new WeakMap<FlatSpace, BranchCounts>();

/** How many trials each of a space's branches has had. */
export function trialsByBranch(
  space: FlatSpace,
  history: readonly TrialRecord[],
  pending: readonly TrialRecord[],
): number[] {
  let counts = counted.get(space);
  if (counts === undefined) counted.set(space, (counts = new BranchCounts(branchesOf(space))));
  counts.update(history);
  return counts.with(pending);
}

/** What a trial whose turn it is does in its branch. */
export interface BranchTurn {
  /** Values of the request and of the branch. */
  readonly fixed: Params | undefined;
  /** Where the trial is to be, if no model is asked yet. */
  readonly point?: Params;
}

// Trials of a branch that spread over it, after which every second turn does, and those below which its turns are frequent.
const spread = 16;
const enough = 40;

/** What to fix for this trial: the request's own values, with those of a branch where its turn has come. */
export function branchTurn(request: SampleRequest): BranchTurn {
  const { space, number, seed, history, pending, fixed } = request;
  const agrees = (branch: Params): boolean =>
    Object.entries(branch).every(([name, value]) => fixed?.[name] === undefined || fixed[name] === value);
  const branches = branchesOf(space).filter(agrees);
  if (branches.length < 2 || number % 2 === 0) return { fixed };
  const all = trialsByBranch(space, history, pending);
  const counts = all.filter((_, i) => agrees(branchesOf(space)[i]!));
  const least = Math.min(...counts);
  if (least >= enough && number % 4 === 3) return { fixed };
  const fewest = branches.filter((_, i) => counts[i] === least);
  const branch = fewest[new Draws(seed, number, "branch").below(fewest.length)]!;
  const chosen = { ...branch, ...fixed };
  if (least >= spread && least % 4 !== 3) return { fixed: chosen };
  const own = new Draws(seed, branches.indexOf(branch), "branch sequence").bits();
  return { fixed: chosen, point: quasiParams("sobol", { ...request, seed: own, number: least, fixed: chosen }) };
}
