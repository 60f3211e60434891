// States of an optimizer that the ranks of a group divide (ZeRO), in a checkpoint: one rank has all of them, whole and under the names that a
// run on one rank gives them, when it is written; each takes its part when it is read. So a run goes on with any number of ranks.
import type { Json, NamedVariable, Participant } from "../../checkpoint/index.js";
import { addon, call, type NativeVariable } from "../../native/index.js";
import type { NativeRankGroup } from "../../native/ranks.js";
import type { BoundOptimizer } from "../../optim/index.js";
import { throughRanks } from "./ranks.js";

/** The part of a checkpoint that is such an optimizer's. */
export class DividedStates implements Participant {
  private readonly bound: BoundOptimizer;
  private readonly group: NativeRankGroup;
  /** In the order of the engine; none but while a checkpoint is read or written. */
  private wholes: readonly NativeVariable[] = [];
  private steps = 0;

  constructor(bound: BoundOptimizer, group: NativeRankGroup) {
    this.bound = bound;
    this.group = group;
  }

  /** Brings all states to the first rank of the group; called by all of them. @throws CommunicationError */
  async collect(): Promise<void> {
    this.steps = this.bound.native.steps;
    if (this.group.rank() === 0 && this.wholes.length === 0) this.wholes = this.room();
    await throughRanks(undefined, () => addon.gatherStates(this.bound.native, this.wholes, 0));
  }

  state(): Json {
    return { steps: this.bound.native.steps };
  }

  tensors(): Iterable<NamedVariable> {
    return this.wholes.map((whole) => [whole.name, whole] as const);
  }

  restore(saved: Json): void {
    ({ steps: this.steps } = saved as { readonly steps: number });
    if (this.wholes.length === 0) this.wholes = this.room();
  }

  restored(): void {
    call(() => addon.takeStates(this.bound.native, this.wholes));
    this.bound.native.steps = this.steps;
    this.release();
  }

  /** Frees the whole states. */
  release(): void {
    for (const whole of this.wholes) whole.dispose();
    this.wholes = [];
  }

  private room(): NativeVariable[] {
    return call(() => addon.wholeStates(this.bound.native)).map(({ name, dtype, shape }) =>
      call(() => new addon.Variable(dtype, shape, name)),
    );
  }
}
