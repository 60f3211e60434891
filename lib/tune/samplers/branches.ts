// Conditional and mixed spaces: a branch that looks bad after a few trials may hold the best ones, in a small region of it. Some
// trials therefore go to the branch with the fewest, whatever the model says: the first ones of a branch spread over it, later ones where a
// model of this branch alone sends them.
import { cardinality, isActive, valueAt, type FlatSpace, type Params, type SpaceParameter } from "../space/index.js";
import { Draws } from "../random/philox.js";
import { Following } from "../study/follow.js";
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

/** The trials that each branch of a space has had. */
class BranchTrials extends Following {
  /** By branch, their values in the order of the trials; NaN for those that do not count. */
  readonly values: number[][];
  private readonly branches: readonly Params[];

  constructor(branches: readonly Params[]) {
    super();
    this.branches = branches;
    this.values = branches.map(() => []);
  }

  protected add(record: TrialRecord): void {
    const counts = record.state === "complete" && (record.constraints ?? []).every((value) => value <= 0);
    this.of(record)?.push((counts ? record.values?.[0] : undefined) ?? NaN);
  }
  // Those that came later were, or are to be, taken back too.
  protected remove(record: TrialRecord): void {
    this.of(record)?.pop();
  }
  private of({ params }: TrialRecord): number[] | undefined {
    return this.values[this.branches.findIndex((branch) => belongs(params, branch))];
  }

  /** How many there are, with those that are running. */
  countWith(pending: readonly TrialRecord[]): number[] {
    const running = new BranchTrials(this.branches);
    running.update(pending);
    return this.values.map((values, i) => values.length + running.values[i]!.length);
  }
}

const followed = new WeakMap<FlatSpace, BranchTrials>();

function trialsOf(space: FlatSpace, history: readonly TrialRecord[]): BranchTrials {
  let trials = followed.get(space);
  if (trials === undefined) followed.set(space, (trials = new BranchTrials(branchesOf(space))));
  trials.update(history);
  return trials;
}

/** How many trials each of a space's branches has had. */
export function trialsByBranch(
  space: FlatSpace,
  history: readonly TrialRecord[],
  pending: readonly TrialRecord[],
): number[] {
  return trialsOf(space, history).countWith(pending);
}

/**
 * What a branch may come to: its best value, and as much again as it became better by in the later half of its trials. A branch whose good
 * region was found late is not behind one that is at its end.
 */
function prospect(values: readonly number[], sign: number): number {
  const from = values.length - Math.max(8, Math.ceil(values.length / 2));
  let [before, now] = [Infinity, Infinity];
  for (const [i, value] of values.entries()) {
    if (sign * value < now) now = sign * value;
    if (i < from) before = now;
  }
  return before === Infinity ? now : now - (before - now);
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
  const { space, number, seed, history, pending, fixed, directions } = request;
  const agrees = (branch: Params): boolean =>
    Object.entries(branch).every(([name, value]) => fixed?.[name] === undefined || fixed[name] === value);
  const branches = branchesOf(space).filter(agrees);
  if (branches.length < 2 || number % 4 === 0) return { fixed };
  const ofThese = <T>(all: readonly T[]): T[] => all.filter((_, i) => agrees(branchesOf(space)[i]!));
  const trials = trialsOf(space, history);
  const counts = ofThese(trials.countWith(pending));
  const least = Math.min(...counts);
  const isHopeful = number % 4 === 2;
  if (isHopeful && (least < spread || directions.length > 1)) return { fixed };
  if (least >= enough && number % 4 === 3) return { fixed };
  const sign = directions[0] === "minimize" ? 1 : -1;
  const marks = isHopeful ? ofThese(trials.values).map((values) => prospect(values, sign)) : counts;
  const lowest = Math.min(...marks);
  const first = branches.filter((_, i) => marks[i] === lowest);
  const branch = first[new Draws(seed, number, "branch").below(first.length)]!;
  const chosen = { ...branch, ...fixed };
  if (isHopeful || (least >= spread && least % 4 !== 3)) return { fixed: chosen };
  const own = new Draws(seed, branches.indexOf(branch), "branch sequence").bits();
  return { fixed: chosen, point: quasiParams("sobol", { ...request, seed: own, number: least, fixed: chosen }) };
}
