// A trial as its objective sees it.
import { ArgumentError, TrialPrunedError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { Pruner } from "../pruners/pruner.js";
import { Draws } from "../random/philox.js";
import { externalValue, fromUnit, internalValue, isDistribution, type Distribution, type Json, type ValueOf } from "../space/index.js"; // prettier-ignore
import { mergeReports } from "../storage/merge.js";
import type { Report } from "../storage/storage.js";
import type { Direction, Intermediate, TrialRecord } from "./record.js";

/** A trial whose checkpoint another goes on from. */
export interface ParentTrial {
  readonly number: number;
  /** Where its checkpoints are, where the search has `checkpoints`; its newest are in the other's folder too. */
  readonly folder: string | undefined;
}

/** What a trial is made of. @internal */
export interface TrialParts {
  readonly number: number;
  readonly attempt: number;
  readonly seed: number;
  readonly direction: Direction;
  readonly pruner: Pruner;
  readonly constraints: number;
  readonly signal: AbortSignal;
  readonly folder: string | undefined;
  readonly parent: ParentTrial | undefined;
  /** How many trials it goes on from, one after the other. */
  readonly generation: number;
  /** Of an earlier worker of this trial. */
  readonly reports: readonly Intermediate[];
  /** Internal values that are there already. */
  readonly params: Readonly<Record<string, number>>;
  /** Values for parameters that the objective may ask for. */
  readonly foreseen: ReadonlyMap<string, { readonly distribution: Distribution; readonly value: number }>;
  /** Values that were given for such parameters when the trial was enqueued. */
  readonly wishes: Readonly<Record<string, Json>>;
  readonly visible: () => readonly TrialRecord[];
  readonly changed: () => void;
}

/**
 * A trial that is running: what the objective is given to report by, to be pruned, and to say more about itself.
 *
 * @example
 * const study = await tune({ lr: tune.logUniform(1e-4, 1) }, (trial, { params }) => {
 *   let loss = 1;
 *   for (let epoch = 0; epoch < 20; epoch++) {
 *     loss *= 1 - params.lr / 2;
 *     trial.report(epoch, loss);
 *     if (trial.shouldPrune()) trial.prune();
 *   }
 *   return loss;
 * }, { trials: 10, pruner: tune.median() });
 * console.log(study.best?.params.lr);
 */
export class Trial {
  /** From 0 on. */
  readonly number: number;
  /** 0, or how often it has failed before, where failures are tried again. */
  readonly attempt: number;
  /** Fires when the search ends early; give it to `fetch`, `train.fit` and the like. */
  readonly signal: AbortSignal;
  /** A folder of its own for checkpoints, where the search has `checkpoints`; the same for every worker that takes the trial on. */
  readonly folder: string | undefined;
  /** The trial that this one goes on from, in population-based training and by `study.fork`. */
  readonly parent: ParentTrial | undefined;
  /** 0, or one more than that of its parent. */
  readonly generation: number;
  private readonly parts: TrialParts;
  private reports: Intermediate[];
  private unsent: Intermediate[] = [];
  private attributes: Record<string, Json> = {};
  private readonly suggested: Record<string, Distribution> = {};
  private readonly params: Record<string, number>;
  private constrained: readonly number[] | undefined;
  private verdict: { readonly step: number; readonly prune: boolean } | undefined;

  /** @internal */
  constructor(parts: TrialParts) {
    this.parts = parts;
    this.number = parts.number;
    this.attempt = parts.attempt;
    this.signal = parts.signal;
    this.folder = parts.folder;
    this.parent = parts.parent;
    this.generation = parts.generation;
    this.reports = [...parts.reports];
    this.params = { ...parts.params };
  }

  /**
   * Says how good the trial is after a step, such as an epoch; a later report of the same step counts instead of it. NaN
   * and Infinity may be reported: they count as worse than any number.
   *
   * @throws ArgumentError unless `step` is a whole number from 0 on and `value` a number.
   */
  report(step: number, value: number): void {
    const where = `trial ${this.number}: report`;
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new ArgumentError(`${where}: expected a whole number from 0 on as step, got ${got(step)}`);
    }
    if (typeof value !== "number") {
      throw new ArgumentError(`${where}: expected a number as value, got ${got(value)}`);
    }
    const report = { step, value };
    // In place: a copy for each would make long curves quadratic.
    if (step > (this.reports.at(-1)?.step ?? -1)) this.reports.push(report);
    else this.reports = [...mergeReports(this.reports, [report])];
    this.unsent.push(report);
    this.verdict = undefined;
    this.parts.changed();
  }

  /** Whether the pruner would end the trial after its last report; false before the first. */
  shouldPrune(): boolean {
    const last = this.reports.at(-1);
    if (last === undefined) return false;
    if (this.verdict?.step !== last.step) {
      const { number, seed, direction, pruner, visible } = this.parts;
      const history = visible();
      this.verdict = {
        step: last.step,
        prune: pruner.prune({ number, seed, direction, reports: this.reports, history }),
      };
    }
    return this.verdict.prune;
  }

  /** Ends the trial as pruned. @throws TrialPrunedError, which the objective lets through. */
  prune(): never {
    throw new TrialPrunedError(`trial ${this.number}: pruned after step ${this.reports.at(-1)?.step ?? "?"}`);
  }

  /**
   * Asks for a parameter that the space does not have, whose existence or range is known only now. The same name gives the same
   * value again.
   *
   * @throws ArgumentError for a name of the space, or one that was asked for with another distribution.
   * @example
   * await tune({}, (trial) => {
   *   const layers = trial.suggest("layers", tune.int(1, 3));
   *   let units = 0;
   *   for (let i = 0; i < layers; i++) units += trial.suggest(`units${i}`, tune.int(8, 64));
   *   return units;
   * }, { trials: 5 });
   */
  suggest<D extends Distribution>(name: string, distribution: D): ValueOf<D> {
    const where = `trial ${this.number}: suggest`;
    if (typeof name !== "string" || name === "") {
      throw new ArgumentError(`${where}: expected a name first, got ${got(name)}`);
    }
    if (!isDistribution(distribution)) {
      throw new ArgumentError(
        `${where}: "${name}": expected a distribution, such as tune.uniform(0, 1), got ${got(distribution)}`,
      );
    }
    const before = this.suggested[name];
    if (before === undefined && Object.hasOwn(this.params, name)) {
      throw new ArgumentError(`${where}: "${name}" is a parameter of the space; read it from params`);
    }
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(distribution)) {
      throw new ArgumentError(`${where}: "${name}" was asked for with another distribution in the same trial`);
    }
    this.suggested[name] = distribution;
    const value = (this.params[name] ??= this.valueFor(name, distribution));
    return externalValue(distribution, value) as ValueOf<D>;
  }

  /** Keeps something about the trial: any value that JSON can hold. */
  setAttribute(name: string, value: Json): void {
    this.attributes[name] = value;
    this.parts.changed();
  }

  /**
   * Says how far constraints are from being broken: they hold where all values are at most 0.
   *
   * @throws ArgumentError for another count than the option `constraints`, or NaN.
   */
  constrain(...values: readonly number[]): void {
    const { constraints, number } = this.parts;
    if (values.length !== constraints || !values.every((value) => typeof value === "number" && !Number.isNaN(value))) {
      throw new ArgumentError(
        `trial ${number}: constrain: expected ${constraints} numbers, as the option constraints says, got ${got(values)}`,
      );
    }
    this.constrained = values.map((value) => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)));
  }

  /** What has not been written yet. @internal */
  take(): Report {
    const { unsent, attributes, suggested, params } = this;
    this.unsent = [];
    this.attributes = {};
    return {
      ...(unsent.length > 0 ? { reports: unsent } : {}),
      ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
      ...(Object.keys(suggested).length > 0 ? { suggested: { ...suggested }, params: { ...params } } : {}),
    };
  }

  /** @internal */
  get constraintValues(): readonly number[] | undefined {
    return this.constrained;
  }

  private valueFor(name: string, distribution: Distribution): number {
    const { wishes, foreseen, seed, number } = this.parts;
    const wish = wishes[name];
    if (wish !== undefined) return internalValue(`trial ${number}: suggest`, name, distribution, wish);
    const known = foreseen.get(name);
    if (known !== undefined && JSON.stringify(known.distribution) === JSON.stringify(distribution)) return known.value;
    return fromUnit(distribution, new Draws(seed, number, name).uniform());
  }
}
