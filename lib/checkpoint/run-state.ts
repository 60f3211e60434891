// The state of a run: one tree in which everybody who takes part registers what the run would need to go on. Tensors stay in the
// engine and go from its memory to a file; everything else is plain data.
import { InternalError } from "../errors.js";
import type { NativeVariable } from "../native/index.js";
import type { Json } from "./json.js";

/** A tensor of the state, by its name among those of its owner. */
export type NamedVariable = readonly [name: string, variable: NativeVariable];

/** Takes part in a run: says what has to be kept, and takes it back. */
export interface Participant {
  /** What is kept beside tensors. */
  state?(): Json;
  /** The tensors to keep, as they are held now. */
  tensors?(): Iterable<NamedVariable>;
  /** Takes back what `state()` gave and makes room for the tensors, which are read into `tensors()` after it. */
  restore?(saved: Json): void;
  /** Whether a tensor of the state, which is not among `tensors()` here, is another rank's. */
  isElsewhere?(name: string): boolean;
  /** Called when everybody's tensors are in place. */
  restored?(): void;
}

/** The participants of one run, by name. */
export class RunState {
  private readonly participants = new Map<string, Participant>();

  /** Registers a participant; its tensors are called `<name>.<tensor>`. */
  add(name: string, participant: Participant): this {
    if (this.participants.has(name)) throw new InternalError(`state of a run: there are two participants "${name}"`);
    this.participants.set(name, participant);
    return this;
  }

  /** A copy of what is kept beside tensors, of everybody. */
  values(): Record<string, Json> {
    return structuredClone(
      Object.fromEntries([...this.participants].map(([name, each]) => [name, each.state?.() ?? null])),
    );
  }

  /** All tensors by their full names. */
  tensors(): Map<string, NativeVariable> {
    const all = new Map<string, NativeVariable>();
    for (const [owner, each] of this.participants) {
      for (const [name, variable] of each.tensors?.() ?? []) {
        const full = `${owner}.${name}`;
        if (all.has(full)) throw new InternalError(`state of a run: there are two tensors "${full}"`);
        all.set(full, variable);
      }
    }
    return all;
  }

  /** Whether another rank takes a tensor, by its full name. */
  isElsewhere(full: string): boolean {
    return [...this.participants].some(
      ([owner, each]) => full.startsWith(`${owner}.`) && each.isElsewhere?.(full.slice(owner.length + 1)) === true,
    );
  }

  /**
   * Gives everybody back what was kept; `read` fills the tensors in between.
   *
   * @param values what {@link values} gave.
   */
  async restore(
    values: Readonly<Record<string, Json>>,
    read: (tensors: ReadonlyMap<string, NativeVariable>) => Promise<void>,
  ): Promise<void> {
    for (const [name, each] of this.participants) each.restore?.(values[name] ?? null);
    await read(this.tensors());
    for (const each of this.participants.values()) each.restored?.();
  }
}

/** Two participants as one. */
export function both(first: Participant, second: Participant): Participant {
  const pair = [first, second];
  return {
    state: () => pair.map((each) => each.state?.() ?? null),
    *tensors() {
      for (const [i, each] of pair.entries()) {
        for (const [name, variable] of each.tensors?.() ?? []) yield [`${i}.${name}`, variable] as const;
      }
    },
    restore: (saved) => pair.forEach((each, i) => each.restore?.((saved as readonly Json[])[i])),
    restored: () => pair.forEach((each) => each.restored?.()),
  };
}
