// Copies of tensors that a file is written from while training changes the tensors themselves. The memory of one checkpoint serves
// the next.
import { addon, callAsync, type NativeVariable } from "../native/index.js";

interface Copy {
  readonly type: string;
  readonly variable: NativeVariable;
}

/** Room for a copy of a run's tensors. */
export class Stage {
  private copies = new Map<string, Copy>();

  /** Takes memory for copies of tensors, so that the first {@link take} costs no more than the later ones. */
  async prepare(tensors: ReadonlyMap<string, NativeVariable>): Promise<void> {
    const kept = new Map<string, Copy>();
    const missing: (readonly [name: string, type: string, variable: NativeVariable])[] = [];
    for (const [name, variable] of tensors) {
      const { dtype, shape } = variable.type;
      const type = `${dtype} ${shape.join(" ")}`;
      const known = this.copies.get(name);
      if (known?.type === type) {
        kept.set(name, known);
        this.copies.delete(name);
      } else missing.push([name, type, variable]);
    }
    this.dispose();
    this.copies = kept;
    if (missing.length === 0) return;
    const made = await callAsync(() => addon.makeVariables(missing.map(([, , variable]) => variable)));
    missing.forEach(([name, type], i) => kept.set(name, { type, variable: made[i]! }));
  }

  /** Copies tensors here, all as of one moment between two steps; the copies by the same names. */
  async take(tensors: ReadonlyMap<string, NativeVariable>): Promise<ReadonlyMap<string, NativeVariable>> {
    await this.prepare(tensors);
    const copies = [...tensors.keys()].map((name) => this.copies.get(name)!.variable);
    await callAsync(() => addon.copyVariables([...tensors.values()], copies));
    return new Map([...tensors.keys()].map((name, i) => [name, copies[i]!]));
  }

  /** Copies back what was taken, all at once. */
  async put(tensors: ReadonlyMap<string, NativeVariable>): Promise<void> {
    const copies = [...tensors.keys()].map((name) => this.copies.get(name)!.variable);
    await callAsync(() => addon.copyVariables(copies, [...tensors.values()]));
  }

  dispose(): void {
    for (const { variable } of this.copies.values()) variable.dispose();
    this.copies.clear();
  }
}
