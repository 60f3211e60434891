// Copies of tensors that a file is written from while training changes the tensors themselves. The memory of one checkpoint serves
// the next.
import { addon, call, callAsync, type NativeVariable } from "../native/index.js";

interface Copy {
  readonly type: string;
  readonly variable: NativeVariable;
}

/** Room for a copy of a run's tensors. */
export class Stage {
  private copies = new Map<string, Copy>();

  /** Copies tensors here, all as of one moment between two steps; the copies by the same names. */
  async take(tensors: ReadonlyMap<string, NativeVariable>): Promise<ReadonlyMap<string, NativeVariable>> {
    this.makeRoom(tensors);
    const copies = [...tensors.keys()].map((name) => this.copies.get(name)!.variable);
    await callAsync(() => addon.copyVariables([...tensors.values()], copies));
    return new Map([...tensors.keys()].map((name, i) => [name, copies[i]!]));
  }

  dispose(): void {
    for (const { variable } of this.copies.values()) variable.dispose();
    this.copies.clear();
  }

  private makeRoom(tensors: ReadonlyMap<string, NativeVariable>): void {
    const copies = new Map<string, Copy>();
    for (const [name, variable] of tensors) {
      const { dtype, shape } = variable.type;
      const type = `${dtype} ${shape.join(" ")}`;
      const known = this.copies.get(name);
      if (known?.type === type) {
        copies.set(name, known);
        this.copies.delete(name);
      } else {
        copies.set(name, { type, variable: call(() => new addon.Variable(dtype, shape, "")) });
      }
    }
    this.dispose();
    this.copies = copies;
  }
}
