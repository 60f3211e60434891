// Successive halving without waiting: ASHA (Li et al., "A system for massively parallel hyperparameter tuning", 1810.05934) in its
// stopping form. Rung k lies at a resource of r · η^(s + k) steps; a trial goes on from it if it is among the best 1/η of the trials that have
// come so far, itself included. Hyperband (Li et al., 1603.06560) runs several with other s beside each other.
import { requireCount } from "../../guidance/arguments.js";
import { checkOptions } from "../../errors.js";
import { Draws } from "../random/philox.js";
import { Following } from "../study/follow.js";
import type { Direction, Intermediate, TrialRecord } from "../study/record.js";
import { lossOf } from "./compare.js";
import { Known } from "./known.js";
import type { PruneRequest, Pruner } from "./pruner.js";
import { SortedNumbers } from "./sorted.js";

/** Options of {@link asha}. */
export interface AshaOptions {
  /** Steps before the first decision: r of the paper. A trial that has reported step 0 has taken one. Default 1. */
  readonly min?: number;
  /** Steps of a whole trial: R of the paper; no decision is made there. Default no end. */
  readonly max?: number;
  /** Of every so many trials at a rung one goes on: η of the paper. Default 4. */
  readonly factor?: number;
  /** Rungs left out at the beginning: s of the paper. Default 0. */
  readonly skip?: number;
}

/**
 * Successive halving as trials come (ASHA): at 1, 4, 16, … steps only the best quarter of the trials seen there goes on.
 *
 * @throws ArgumentError
 * @example
 * tune.asha({ min: 1, max: 81, factor: 3 });
 */
export function asha(options: AshaOptions = {}): Pruner {
  const where = "tune.asha";
  checkOptions(where, options, ["min", "max", "factor", "skip"]);
  const { min = 1, max = Infinity, factor = 4, skip = 0 } = options;
  requireCount(where, "min", min, 1);
  if (max !== Infinity) requireCount(where, "max", max, min);
  requireCount(where, "factor", factor, 2);
  requireCount(where, "skip", skip, 0);
  const one: Bracket = { first: min * factor ** skip, max, factor };
  const known = new Known((direction) => new Rungs(direction, () => one));
  return {
    name: "asha",
    settings: { ...options },
    prune: (request) => halve(request, one, known),
  };
}

/** Trials that are compared with each other. */
interface Bracket {
  /** Steps at its first rung. */
  readonly first: number;
  readonly max: number;
  readonly factor: number;
}

/** Losses at every rung of the trials of a history: a decision reads those of one rung, by halving. */
class Rungs extends Following {
  private readonly direction: Direction;
  private readonly bracketOf: (number: number) => Bracket;
  private readonly losses = new Map<Bracket, Map<number, SortedNumbers>>();
  private readonly byNumber = new Map<number, TrialRecord>();

  constructor(direction: Direction, bracketOf: (number: number) => Bracket) {
    super();
    this.direction = direction;
    this.bracketOf = bracketOf;
  }

  protected add(record: TrialRecord): void {
    this.byNumber.set(record.number, record);
    this.each(record, (losses, loss) => losses.insert(loss));
  }
  protected remove(record: TrialRecord): void {
    this.byNumber.delete(record.number);
    this.each(record, (losses, loss) => losses.remove(loss));
  }

  /** How many trials but `number` have come to a rung of a bracket, and how many of them were better there. */
  standing(bracket: Bracket, rung: number, own: number, number: number): { count: number; better: number } {
    const losses = this.losses.get(bracket)?.get(rung);
    const standing = { count: losses?.length ?? 0, better: losses?.countBelow(own) ?? 0 };
    const itself = this.byNumber.get(number);
    const loss = itself && lossAt(itself.intermediate, rung, this.direction);
    if (loss === undefined) return standing;
    return { count: standing.count - 1, better: standing.better - (loss < own ? 1 : 0) };
  }

  private each({ number, intermediate }: TrialRecord, use: (losses: SortedNumbers, loss: number) => void): void {
    const bracket = this.bracketOf(number);
    const rungs = this.losses.get(bracket) ?? new Map<number, SortedNumbers>();
    this.losses.set(bracket, rungs);
    let rung = bracket.first;
    for (const { step, value } of intermediate) {
      for (; rung <= step + 1 && rung < bracket.max; rung *= bracket.factor) {
        const losses = rungs.get(rung) ?? new SortedNumbers();
        rungs.set(rung, losses);
        use(losses, lossOf(value, this.direction));
      }
    }
  }
}

function halve(request: PruneRequest, bracket: Bracket, known: Known<Rungs>, competes = (_: number) => true): boolean {
  const { number, reports, direction } = request;
  const { first, max, factor } = bracket;
  const taken = reports.at(-1)!.step + 1;
  const before = (reports.at(-2)?.step ?? -1) + 1;
  // The highest rung that this report is the first to reach.
  let rung = first;
  if (taken < rung) return false;
  while (rung * factor <= taken) rung *= factor;
  if (before >= rung || rung >= max) return false;
  const own = lossAt(reports, rung, direction)!;
  if (own === Infinity) return true;
  const { index, running } = known.of(request);
  let { count, better } = index.standing(bracket, rung, own, number);
  for (const trial of running) {
    if (trial.number === number || !competes(trial.number)) continue;
    const loss = lossAt(trial.intermediate, rung, direction);
    if (loss === undefined) continue;
    count++;
    if (loss < own) better++;
  }
  return better >= Math.max(1, Math.floor((count + 1) / factor));
}

// The first report of a trial that had taken so many steps.
function lossAt(reports: readonly Intermediate[], resource: number, direction: Direction): number | undefined {
  const report = reports.find(({ step }) => step + 1 >= resource);
  return report === undefined ? undefined : lossOf(report.value, direction);
}

/** Options of {@link hyperband}. */
export interface HyperbandOptions {
  /** Steps before the first decision. Default 1. */
  readonly min?: number;
  /** Steps of a whole trial: R of the paper. */
  readonly max: number;
  /** η of the paper. Default 3. */
  readonly factor?: number;
}

/** The brackets of Hyperband: s, and how many configurations begin in it (line 2 of Algorithm 1). */
export function bracketsOf({
  min = 1,
  max,
  factor = 3,
}: HyperbandOptions): { readonly skip: number; readonly trials: number }[] {
  let last = 0;
  while (min * factor ** (last + 1) <= max) last++;
  return Array.from({ length: last + 1 }, (_, i) => {
    const s = last - i;
    return { skip: i, trials: Math.ceil(((last + 1) / (s + 1)) * factor ** s) };
  });
}

/**
 * Successive halving in several brackets that begin to decide later and later, so that trials which start slowly have their chance
 * (Hyperband). A trial's bracket is drawn by its number, as often as the paper has configurations in it.
 *
 * @throws ArgumentError
 * @example
 * tune.hyperband({ max: 81 }); // brackets that begin at 1, 3, 9, 27 and 81 steps
 */
export function hyperband(options: HyperbandOptions): Pruner {
  const where = "tune.hyperband";
  checkOptions(where, options, ["min", "max", "factor"]);
  const { min = 1, max, factor = 3 } = options;
  requireCount(where, "min", min, 1);
  requireCount(where, "max", max, min);
  requireCount(where, "factor", factor, 2);
  const brackets = bracketsOf({ min, max, factor });
  const total = brackets.reduce((sum, { trials }) => sum + trials, 0);
  const all = brackets.map(({ skip }): Bracket => ({ first: min * factor ** skip, max, factor }));
  const bracketOf = (seed: number, number: number): Bracket => {
    let left = new Draws(seed, number, "hyperband").uniform() * total;
    return all[brackets.findIndex(({ trials }) => (left -= trials) < 0)]!;
  };
  const known = new Known((direction, seed) => new Rungs(direction, (number) => bracketOf(seed, number)));
  return {
    name: "hyperband",
    settings: { ...options },
    prune(request) {
      const { number, seed } = request;
      const bracket = bracketOf(seed, number);
      return halve(request, bracket, known, (other) => bracketOf(seed, other) === bracket);
    },
  };
}
