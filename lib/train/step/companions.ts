// What a training run keeps beside its model: modules that its loss needs, such as the projection of a hint. They are made when
// the step is first traced, trained with the model where they are trainable, and freed with the run.
import { Module, type NamedParameter } from "../../nn/index.js";
import type { Companion, StepScope } from "../../tensor/trace.js";

/** The companions of one run. */
export class Companions implements StepScope {
  private readonly seed: number;
  private readonly held = new Map<object, Companion>();

  constructor(seed: number) {
    this.seed = seed;
  }

  companion<T extends Companion>(key: object, make: (seed: number, index: number) => T): T {
    const known = this.held.get(key) as T | undefined;
    if (known) return known;
    const made = make(this.seed, this.held.size);
    this.held.set(key, made);
    return made;
  }

  /** The parameters that the run trains beside those of its model, named `companion0.weight`. */
  namedParameters(): NamedParameter[] {
    return [...this.held.values()].flatMap((companion, i) =>
      companion instanceof Module
        ? companion.namedParameters().map(({ name, parameter }) => ({ name: `companion${i}.${name}`, parameter }))
        : [],
    );
  }

  dispose(): void {
    for (const companion of this.held.values()) companion.dispose();
    this.held.clear();
  }
}
