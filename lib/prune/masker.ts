// Scores to masks, all in the engine: one program computes every parameter's scores, ranks them and gives the masks. How many
// weights stay is fed in, so that one compilation serves all steps of a schedule.
import type { Json } from "../checkpoint/index.js";
import { ArgumentError, NonFiniteError, ShapeError } from "../errors.js";
import { array, NdArray, showShape } from "../tensor/nd-array.js";
import { Program } from "../tensor/program.js";
import type { Cancellation } from "../train/run/cancellation.js";
import { Tensor } from "../tensor/tensor.js";
import { Trace, within } from "../tensor/trace.js";
import { concat } from "../ops/join.js";
import { criterionInputs, statisticsOf } from "./criterion-inputs.js";
import type { Criterion, Scope } from "./criteria.js";
import { floors, kept, type Part } from "./floor.js";
import { Statistics, type Calibration } from "./statistics.js";
import { rowsOf, spread, unitScores, unitsOf, type Pattern } from "./structure.js";
import type { Target } from "./targets.js";
import type { Module } from "../nn/module.js";

/** What {@link Masker} goes by. */
export interface MaskPlan {
  readonly where: string;
  readonly model: Module;
  readonly targets: readonly Target[];
  readonly criterion: Criterion;
  readonly scope: Scope;
  /** With scope "global", what every parameter keeps at least; see {@link MaskOptions.floor}. */
  readonly floor: number;
  readonly pattern: Pattern;
  readonly calibration: Calibration | undefined;
  readonly seed: number;
}

/** How many of a rank's candidates stay at an amount; of parameters ranked together, how many of each have to. */
interface Rank {
  readonly width: number;
  readonly amount: number;
  readonly parts?: readonly Part[];
}

/** Makes the masks of a model, again and again. */
export class Masker {
  readonly statistics: Statistics;
  private readonly plan: MaskPlan;
  private readonly program: Program;
  private readonly trace: Trace;
  private readonly ranks: Rank[] = [];
  // Of the last update.
  private said: readonly string[] = [];

  /** Compiles the program. @throws ArgumentError, ShapeError for a criterion that is none; what the criterion throws. */
  constructor(plan: MaskPlan) {
    this.plan = plan;
    const parameters = plan.targets.map(({ parameter }) => parameter);
    const names = statisticsOf(plan.criterion, parameters);
    this.statistics = new Statistics({ ...plan, parameters, names });
    this.trace = new Trace();
    try {
      this.trace.setOutputs(within(this.trace, () => this.results()));
      this.program = new Program(this.trace.compile(), plan.where);
    } catch (thrown) {
      this.statistics.dispose();
      this.trace.graph.dispose();
      throw thrown;
    }
  }

  /**
   * New masks by the weights of now, put on the parameters. What a mask hides already stays hidden.
   *
   * @param share of every parameter's own amount, as a function of it.
   * @throws NonFiniteError for scores that are NaN; AbortedError.
   */
  async update(share: (amount: number) => number, cancellation: Cancellation, step: number): Promise<void> {
    const { targets, seed } = this.plan;
    await this.statistics.update(cancellation);
    const feeds: Record<string, NdArray> = {};
    targets.forEach(({ parameter }, i) => {
      const mask = parameter.readMask() ?? new Uint8Array(parameter.size).fill(1);
      feeds[`alive.${i}`] = new NdArray(mask, parameter.shape);
    });
    this.ranks.forEach(({ width, amount, parts }, i) => {
      const keep = kept(width, share(amount));
      feeds[`keep.${i}`] = array(Int32Array.of(keep), []);
      if (parts) floors(parts, keep, this.plan.floor).forEach((least, j) => (feeds[`floor.${j}`] = array(Int32Array.of(least), []))); // prettier-ignore
    });
    const { signal } = cancellation;
    const results = await this.program.run(feeds, { seed, step, signal }).catch((thrown: unknown) => {
      throw thrown instanceof NonFiniteError ? this.notRanked(thrown) : thrown;
    });
    targets.forEach(({ parameter }, i) => parameter.setMask(results[`mask.${i}`]!.data as Uint8Array));
    this.said = targets.flatMap(({ name, parameter: { size } }, i) => {
      const dark = results[`unseen.${i}`]?.item() ?? 0;
      if (dark > 0) return [`${name}: ${dark} of its ${size} weights multiply inputs that were 0 in all samples; among these the magnitude decides`]; // prettier-ignore
      const flat = results[`flat.${i}`]?.item() === 1;
      return flat ? [`${name}: the criterion scores all of it 0, so the magnitude decides`] : [];
    });
  }

  /** What the last masks had to do without. */
  get notes(): readonly string[] {
    return this.said;
  }

  /** What it goes by, for comparing runs. */
  describe(): Json {
    const { targets, criterion, scope, pattern, seed } = this.plan;
    const amounts = Object.fromEntries(targets.map(({ name, amount }) => [name, amount]));
    return { criterion: criterion.name, scope, pattern: { ...pattern }, seed, amounts };
  }

  dispose(): void {
    this.statistics.dispose();
    this.program.dispose();
    this.trace.graph.dispose();
  }

  private notRanked(cause: NonFiniteError): NonFiniteError {
    const { where, targets } = this.plan;
    const names = targets.map(({ name }) => `"${name}"`).join(", ");
    const read = [...this.statistics.names].join(" and ");
    const way = read ? `; it reads ${read} of calibrate: check these samples and the loss` : "";
    return new NonFiniteError(`${where}: the criterion scores a weight of ${names} as NaN${way}`, { cause });
  }

  private results(): Record<string, Tensor> {
    const raw = this.plan.targets.map((_, i) => this.score(i));
    const flat = raw.map((score) => score.abs().max().eq(0));
    const results: Record<string, Tensor> = {};
    this.masks(this.informed(raw, flat)).forEach((mask, i) => (results[`mask.${i}`] = mask));
    flat.forEach((none, i) => (results[`flat.${i}`] = none.cast("i32")));
    raw.forEach((_, i) => {
      const unseen = this.statistics.unseen(this.trace, i);
      if (unseen) results[`unseen.${i}`] = unseen;
    });
    return results;
  }

  // Scores that are all 0 say nothing: magnitudes take their place, for a parameter alone or for all that are ranked together.
  private informed(raw: readonly Tensor[], flat: readonly Tensor[]): Tensor[] {
    const together = this.plan.scope === "global" && this.plan.pattern.kind !== "nm";
    if (raw.length === 0) return [];
    const all = flat.reduce((a, b) => a.and(b));
    return raw.map((score, i) => {
      const weight = this.trace.parameter(this.plan.targets[i]!.parameter);
      return (together ? all : flat[i]!).where(weight.abs(), score);
    });
  }

  private masks(raw: readonly Tensor[]): Tensor[] {
    const { targets, pattern, scope } = this.plan;
    const alive = targets.map(({ parameter }, i) => this.trace.input(`alive.${i}`, "u8", parameter.shape).ne(0));
    const scores = targets.map(({ parameter }, i) =>
      unitScores(pattern, raw[i]!, alive[i]!).reshape([unitsOf(pattern, parameter.shape)]),
    );
    const units =
      pattern.kind !== "nm" && scope === "global"
        ? this.rankTogether(scores)
        : scores.map((score, i) => this.rankAlone(score, targets[i]!));
    return targets.map(({ parameter }, i) => spread(pattern, units[i]!, parameter.shape).ne(0).and(alive[i]!));
  }

  private rankTogether(scores: readonly Tensor[]): Tensor[] {
    const { targets, pattern, floor } = this.plan;
    if (scores.length < 2) return scores.map((score) => this.rank(score, targets[0]!.amount));
    const parts = targets.map(({ parameter: { shape } }) => ({ size: unitsOf(pattern, shape), rows: rowsOf(pattern, shape) })); // prettier-ignore
    // The best of each parameter go before all others; what is hidden already has −∞ and stays so.
    const ranked = floor === 0 ? scores : scores.map((score, i) => {
      const least = this.trace.input(`floor.${i}`, "i32", []);
      return this.trace.apply("top_mask", [score, least]).ne(0).and(score.gt(-Infinity)).where(Infinity, score);
    }); // prettier-ignore
    const kept = this.rank(concat(ranked, 0), targets[0]!.amount, floor === 0 ? undefined : parts);
    let at = 0;
    return scores.map(({ shape: [n] }) => kept.slice([at, (at += n!)]));
  }

  private rankAlone(score: Tensor, { parameter, amount }: Target): Tensor {
    const { pattern, scope } = this.plan;
    if (pattern.kind === "nm") return this.rank(score.reshape([-1, pattern.m]), amount);
    if (scope !== "row") return this.rank(score, amount);
    return this.rank(score.reshape([rowsOf(pattern, parameter.shape), -1]), amount);
  }

  private rank(scores: Tensor, amount: number, parts?: readonly Part[]): Tensor {
    const width = scores.shape.at(-1)!;
    const keep = this.trace.input(`keep.${this.ranks.push({ width, amount, ...(parts && { parts }) }) - 1}`, "i32", []);
    return this.trace.apply("top_mask", [scores, keep]);
  }

  private score(i: number): Tensor {
    const { where, criterion, targets } = this.plan;
    const { name, parameter } = targets[i]!;
    const { trace, statistics } = this;
    const weight = trace.parameter(parameter);
    const score = criterion(criterionInputs(weight, (statistic) => statistics.tensor(trace, statistic, i)));
    if (!(score instanceof Tensor)) {
      throw new ArgumentError(`${where}: the criterion must return a Tensor of scores, got ${typeof score}`);
    }
    if (score.dtype !== "f32" || showShape(score.shape) !== showShape(parameter.shape)) {
      throw new ShapeError(
        `${where}: the criterion must give a score for every weight of "${name}", f32 ${showShape(parameter.shape)}, got ${score.dtype} ${showShape(score.shape)}`,
      );
    }
    return score;
  }
}
