// Weights and states of a model that is cut among ranks, as one: every rank gets the weights of all stages where they are needed, and one rank
// has all states of the optimizer when a checkpoint is written. So a checkpoint holds whole tensors under the names that a run on one rank
// gives them, and goes on with any number of stages.
import type { Json, NamedVariable, Participant } from "../../checkpoint/index.js";
import { addon, call, type NativeType, type NativeVariable } from "../../native/index.js";
import type { BoundOptimizer } from "../../optim/index.js";
import type { Parameter } from "../../tensor/parameter.js";
import type { PipelineLayout } from "./pipeline-layout.js";
import { gather, throughRanks } from "./ranks.js";

/** Gives every rank the values that the speaker of each parameter's stage in its column holds. @throws CommunicationError */
export async function gatherWeights(
  layout: PipelineLayout,
  held: readonly { readonly parameter: Parameter; readonly stage: number }[],
): Promise<void> {
  const bySpeaker = new Map<number, NativeVariable[]>();
  for (const { parameter, stage } of held) {
    const speaker = layout.speakerOf(stage);
    bySpeaker.set(speaker, [...(bySpeaker.get(speaker) ?? []), parameter.native]);
  }
  const column = call(() => new addon.RankGroup("ranks with the same parts", layout.sameColumn));
  const members = column.ranks();
  for (const [speaker, variables] of [...bySpeaker].sort(([a], [b]) => a - b)) {
    await throughRanks(undefined, () => addon.broadcastVariables(variables, members.indexOf(speaker), column));
  }
}

interface Told {
  readonly steps: number;
  readonly states: readonly (readonly [name: string, type: NativeType])[];
}

/** The optimizer's states: this rank's own, and on the first rank of the column copies of all others' when they are collected. */
export class PipelineStates implements Participant {
  private readonly layout: PipelineLayout;
  private readonly bound: BoundOptimizer;
  /** By name, on the first rank of the column: rank 0 is one, and those that have parts of the same layers as it the others. */
  private readonly copies = new Map<string, NativeVariable>();
  private steps = 0;

  constructor(layout: PipelineLayout, bound: BoundOptimizer) {
    this.layout = layout;
    this.bound = bound;
  }

  /** Brings all states to the first rank of the column; called by all ranks. @throws CommunicationError */
  async collect(): Promise<void> {
    const { native } = this.bound;
    const own: Told = { steps: native.steps, states: native.states.map(({ name, type }) => [name, type]) };
    const all = (await gather(JSON.stringify(own), "states for a checkpoint")).map((text) => JSON.parse(text) as Told);
    this.steps = Math.max(...all.map(({ steps }) => steps));
    const { world, ranks } = this.layout;
    const first = this.layout.speakerOf(0);
    for (let place = 1; place < ranks; place++) {
      const speaker = this.layout.speakerOf(place);
      const isOwn = world === speaker;
      if (!isOwn && world !== first) continue;
      const variables = isOwn ? native.states : all[speaker]!.states.map((told) => this.copy(...told));
      await throughRanks(undefined, () => addon.moveVariables(variables, speaker, first));
    }
  }

  state(): Json {
    return { steps: this.steps };
  }

  *tensors(): Iterable<NamedVariable> {
    for (const state of this.bound.native.states) yield [state.name, state];
    yield* this.copies;
  }

  restore(saved: Json): void {
    ({ steps: this.steps } = saved as { readonly steps: number });
  }

  isElsewhere(name: string): boolean {
    return this.bound.parameters.some((parameter) => name.startsWith(`${parameter.name}.`));
  }

  restored(): void {
    this.bound.native.steps = this.steps;
  }

  dispose(): void {
    for (const copy of this.copies.values()) copy.dispose();
  }

  private copy(name: string, { dtype, shape }: NativeType): NativeVariable {
    const known = this.copies.get(name);
    if (known) return known;
    const made = call(() => new addon.Variable(dtype, shape, name));
    this.copies.set(name, made);
    return made;
  }
}
