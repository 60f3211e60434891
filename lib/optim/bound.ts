// An optimizer bound to the parameters of a model: the engine's side with its states, and the hyper-parameters of every step.
import { requireFields, requireListOf } from "../guidance/arguments.js";
import { ArgumentError, DisposedError, ShapeError } from "../errors.js";
import { addon, call, type NativeOptimizer } from "../native/index.js";
import type { NativeRankGroup } from "../native/ranks.js";
import type { NamedParameter } from "../nn/index.js";
import { matchesAny, selectParameters } from "../nn/match.js";
import { NdArray, showShape } from "../tensor/nd-array.js";
import { viewOf, type Parameter } from "../tensor/parameter.js";
import { hypersOf, memoryRow, rowAt, scheduleOf, type HyperValues } from "./hyper.js";
import type { Optimizer, StateCodec } from "./optimizer.js";

/** What {@link BoundOptimizer.stateDict} gives. */
export interface OptimizerStates {
  /** Steps taken. */
  readonly steps: number;
  /** `<parameter>.<state>` → values in f32, whatever the optimizer keeps them in. */
  readonly states: Readonly<Record<string, NdArray>>;
}

interface BoundGroup {
  readonly hyper: HyperValues;
  readonly states: StateCodec;
  readonly members: NamedParameter[];
}

/** An optimizer with states for certain parameters; made by {@link bind}. */
export class BoundOptimizer {
  readonly optimizer: Optimizer;
  /** Parameters in the order in which a step takes their gradients. */
  readonly parameters: readonly Parameter[];
  /** Extents of the hyper-parameters of a step: groups and hyper-parameters of the rule. */
  readonly hyperShape: readonly [groups: number, width: number];
  /** @internal What all learning rates are multiplied by: below 1 in a run that went back to a checkpoint, or stood on a plateau. */
  rateScale = 1;
  /** @internal Steps of an epoch, where the run knows them: what spans such as "3 epochs" are counted in. */
  stepsPerEpoch: number | undefined;
  private readonly groups: readonly BoundGroup[];
  private readonly where: string;
  private held: NativeOptimizer | undefined;

  /** @internal See {@link bind}. `later`: states are made by {@link keepOnly}. */
  constructor(optimizer: Optimizer, groups: readonly BoundGroup[], later = false) {
    this.optimizer = optimizer;
    this.groups = groups;
    this.where = `optim.${optimizer.name}`;
    this.parameters = groups.flatMap(({ members }) => members.map(({ parameter }) => parameter));
    this.hyperShape = [groups.length, hypersOf(optimizer.rule).length];
    if (!later) this.held = this.make(optimizer.clipNorm, () => true);
  }

  /**
   * @internal Makes states for some of the parameters, where other ranks step the others; clipping by the norm of all gradients is the
   * caller's. Returns them in the order in which the engine's side takes their gradients.
   */
  keepOnly(isOwn: (parameter: Parameter) => boolean): Parameter[] {
    this.held = this.make(undefined, isOwn);
    return this.parameters.filter(isOwn);
  }

  /**
   * @internal Makes the states of this rank's elements alone, where the ranks of a group divide them; `buckets` has all parameters as
   * their gradients are exchanged; `isPaged` where parameters themselves are gathered by who reads them.
   */
  divide(group: NativeRankGroup, buckets: readonly (readonly Parameter[])[], isPaged = false): void {
    const places = new Map(this.parameters.map((parameter, i) => [parameter, i]));
    const numbers = buckets.map((bucket) => bucket.map((parameter) => places.get(parameter)!));
    this.held = this.make(this.optimizer.clipNorm, () => true, { group, buckets: numbers, parameters: isPaged });
  }

  private make(
    clipNorm: number | undefined,
    isOwn: (parameter: Parameter) => boolean,
    shards?: {
      readonly group: NativeRankGroup;
      readonly buckets: readonly (readonly number[])[];
      readonly parameters: boolean;
    },
  ): NativeOptimizer {
    const { rule, clipValue } = this.optimizer;
    const native = this.groups.map(({ hyper, states, members }) => ({
      states,
      variables: members.filter(({ parameter }) => isOwn(parameter)).map(({ parameter }) => parameter.native),
      hyper: Float64Array.from(memoryRow(rule, hyper)),
    }));
    return call(
      () =>
        new addon.Optimizer(rule, native, {
          ...(clipNorm === undefined ? {} : { maxNorm: clipNorm, skipNonfinite: true }),
          ...(clipValue === undefined ? {} : { clipValue }),
          ...partsOf(this.parameters.filter(isOwn)),
          ...(shards && { shards }),
        }),
      this.where,
    );
  }

  /** The engine's side. @throws DisposedError */
  get native(): NativeOptimizer {
    if (this.held) return this.held;
    throw new DisposedError(`${this.where}: it was disposed; bind the optimizer anew to use it`);
  }

  /** Steps taken. */
  get steps(): number {
    return this.native.steps;
  }

  /** Writes the hyper-parameters of a step, [groups, width], into `row`. @throws ArgumentError if a schedule leaves its range */
  writeHyper(row: Float64Array, step: number, total: number): void {
    const width = this.hyperShape[1];
    this.groups.forEach(({ hyper }, g) =>
      row.set(rowAt(this.where, this.optimizer.rule, hyper, [step, total, this.stepsPerEpoch]), g * width),
    );
    if (this.rateScale === 1) return;
    hypersOf(this.optimizer.rule).forEach(({ name }, i) => {
      if (name !== "lr" && !name.endsWith("_lr")) return;
      for (let at = i; at < row.length; at += width) row[at]! *= this.rateScale;
    });
  }

  /** The hyper-parameters of a step, f64 [groups, width]. */
  hyperAt(step: number, total = Infinity): NdArray {
    const row = new Float64Array(this.hyperShape[0] * this.hyperShape[1]);
    this.writeHyper(row, step, total);
    return new NdArray(row, this.hyperShape);
  }

  /** The learning rate of a step, of the parameters that no group took. */
  rateAt(step: number, total = Infinity): number {
    return (
      scheduleOf(this.optimizer.rule, this.optimizer.hyper, "lr")(step, total, this.stepsPerEpoch) * this.rateScale
    );
  }

  /** @internal Of a schedule-free optimizer: where between fast sequence and mean the gradient of a parameter is taken. */
  gradientShare(parameter: Parameter): number {
    const option = this.optimizer.rule === "schedule_free_sgd" ? "momentum" : "beta1";
    const group = this.groups.find(({ members }) => members.some((member) => member.parameter === parameter));
    return scheduleOf(this.optimizer.rule, group!.hyper, option)(0, 1);
  }

  /** Copies of all states in f32, so that they go with every `states` of an optimizer, and with the bits that they were taken from. */
  stateDict(): OptimizerStates {
    const { native } = this;
    const states = native.states.map(({ name }, i) => {
      const data = call(() => native.readState(i));
      return [name, new NdArray(viewOf("f32", data), native.stateShape(i), "f32")] as const;
    });
    return { steps: this.steps, states: Object.fromEntries(states) };
  }

  /**
   * Takes states back; nothing is changed unless all of them fit.
   *
   * @throws ArgumentError for missing or strange names, and values that `states` cannot keep; ShapeError for other shapes.
   */
  loadStateDict(saved: OptimizerStates): void {
    const where = `${this.where}.loadStateDict`;
    const { native } = this;
    const own = native.states.map(({ name }) => name);
    own.forEach((name, i) => {
      const values = saved.states[name];
      if (!values)
        throw new ArgumentError(`${where}: "${name}" is missing; the states are of another model or optimizer`);
      const shape = native.stateShape(i);
      if (values.dtype !== "f32" || showShape(values.shape) !== showShape(shape)) {
        throw new ShapeError(
          `${where}: "${name}" must be f32 ${showShape(shape)}, got ${values.dtype} ${showShape(values.shape)}`,
        );
      }
    });
    const strange = Object.keys(saved.states).find((name) => !own.includes(name));
    if (strange !== undefined) {
      throw new ArgumentError(`${where}: there is no state "${strange}"; the states are of another model or optimizer`);
    }
    if (!Number.isSafeInteger(saved.steps) || saved.steps < 0) {
      throw new ArgumentError(`${where}: steps must be a whole number from 0 on, got ${saved.steps}`);
    }
    this.checkFinite(where, saved);
    own.forEach((name, i) => call(() => native.writeState(i, saved.states[name]!.data as Float32Array)));
    this.native.steps = saved.steps;
  }

  // Blocks of codes have a largest value; what f32 keeps as it is would spoil its whole block there.
  private checkFinite(where: string, saved: OptimizerStates): void {
    for (const { name, type } of this.native.states) {
      if (type.dtype !== "u8" || (saved.states[name]!.data as Float32Array).every(Number.isFinite)) continue;
      throw new ArgumentError(`${where}: "${name}" has values that are not finite; 8 or 4 bits cannot keep them`);
    }
  }

  /** Frees the states; the parameters keep their values. */
  dispose(): void {
    this.held?.dispose();
    this.held = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

// Parameters that ranks have parts of: the norm of the gradient is that of the whole.
function partsOf(parameters: readonly Parameter[]) {
  const group = parameters.find(({ parametrization }) => parametrization?.part)?.parametrization?.part?.group;
  return group && { group, divided: parameters.map(({ parametrization }) => parametrization?.part !== undefined) };
}

/**
 * Binds an optimizer to parameters: the first group that matches takes each, the rest go by the optimizer's own
 * hyper-parameters. Parameters that are not trainable are left out.
 *
 * @throws ArgumentError if there is nothing to train, or a group matches nothing; DTypeError for a parameter that is not f32.
 * @example
 * const model = nn.linear(4, 2);
 * const bound = optim.bind(optim.adam({ lr: 1e-3 }), model.assignNames().namedParameters());
 * bound.parameters.length; // 2
 * bound.dispose();
 */
export function bind(optimizer: Optimizer, parameters: readonly NamedParameter[]): BoundOptimizer {
  requireFields("optim.bind", optimizer, ["rule", "groups"], "an optimizer such as optim.adamW()");
  requireListOf("optim.bind", parameters, "a list of named parameters, as model.namedParameters() gives it");
  return bindGroups(optimizer, parameters, false);
}

/** @internal {@link bind} without states, for those who hold some of them alone. */
export const bindLater = (optimizer: Optimizer, parameters: readonly NamedParameter[]): BoundOptimizer =>
  bindGroups(optimizer, parameters, true);

function bindGroups(optimizer: Optimizer, parameters: readonly NamedParameter[], later: boolean): BoundOptimizer {
  const where = `optim.${optimizer.name}`;
  const trainable = parameters.filter(({ parameter }) => parameter.trainable);
  if (trainable.length === 0) {
    throw new ArgumentError(
      parameters.length === 0
        ? `${where}: the model has no parameters to train`
        : `${where}: all ${parameters.length} parameters are frozen; unfreeze some of them (model.unfreeze())`,
    );
  }
  const rest: BoundGroup = { hyper: optimizer.hyper, states: optimizer.states, members: [] };
  const groups = optimizer.groups.map(({ hyper, states }): BoundGroup => ({ hyper, states, members: [] }));
  optimizer.groups.forEach(({ match }, i) => selectParameters(where, `groups[${i}].match`, match, parameters));
  for (const named of trainable) {
    const g = optimizer.groups.findIndex(({ match }) => matchesAny(match, named));
    (groups[g] ?? rest).members.push(named);
  }
  return new BoundOptimizer(
    optimizer,
    [rest, ...groups].filter(({ members }) => members.length > 0),
    later,
  );
}
