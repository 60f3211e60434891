// What a training run keeps beside its model: modules that its loss needs, such as the projection of a hint. They are made when
// the step is first traced, trained with the model where they are trainable, and freed with the run.
import { Module, type NamedParameter } from "../../nn/index.js";
import type { AuxiliaryModule, StepScope } from "../../tensor/trace.js";

/** The auxiliary modules of one run. */
export class AuxiliaryModules implements StepScope {
  private readonly seed: number;
  private readonly held = new Map<object, AuxiliaryModule>();

  constructor(seed: number) {
    this.seed = seed;
  }

  auxiliary<T extends AuxiliaryModule>(key: object, make: (seed: number, index: number) => T): T {
    const known = this.held.get(key) as T | undefined;
    if (known) return known;
    const made = make(this.seed, this.held.size);
    this.held.set(key, made);
    return made;
  }

  /** The parameters that the run trains beside those of its model, named `auxiliary0.weight`. */
  namedParameters(): NamedParameter[] {
    return [...this.held.values()].flatMap((auxiliary, i) =>
      auxiliary instanceof Module
        ? auxiliary.namedParameters().map(({ name, parameter }) => ({ name: `auxiliary${i}.${name}`, parameter }))
        : [],
    );
  }

  dispose(): void {
    for (const auxiliary of this.held.values()) auxiliary.dispose();
    this.held.clear();
  }
}
