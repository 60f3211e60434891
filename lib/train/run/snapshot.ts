// A second copy of a model's state, held by the engine and copied there off the event loop: what "restore the best" goes back to.
import { addon, call, callAsync, type NativeProgram, type NativeVariable } from "../../native/index.js";
import type { NamedVariable, Participant } from "../../checkpoint/index.js";
import type { Parameter } from "../../tensor/parameter.js";

/** Room for one copy of some parameters. */
export class Snapshot {
  private readonly copies: readonly NativeVariable[];
  private readonly saving: NativeProgram;
  private readonly restoring: NativeProgram;
  private readonly parameters: readonly Parameter[];
  private filled = false;

  constructor(parameters: readonly Parameter[]) {
    const own = parameters.map(({ native }) => native);
    this.parameters = parameters;
    this.copies = parameters.map(({ dtype, shape }) => call(() => new addon.Variable(dtype, shape, "")));
    this.saving = copying(own, this.copies);
    this.restoring = copying(this.copies, own);
  }

  /** Whether there is a copy. */
  get taken(): boolean {
    return this.filled;
  }

  /** What of it is kept in a checkpoint. */
  participant(): Participant {
    return {
      state: () => ({ taken: this.filled }),
      tensors: () => (this.filled ? this.copies.map((copy, i): NamedVariable => [this.parameters[i]!.name, copy]) : []),
      restore: (saved) => void (this.filled = (saved as { readonly taken: boolean }).taken),
    };
  }

  /** Copies the parameters here. */
  async save(): Promise<void> {
    await callAsync(() => this.saving.run([], [], 0, 0));
    this.filled = true;
  }

  /** Copies them back. */
  async restore(): Promise<void> {
    await callAsync(() => this.restoring.run([], [], 0, 0));
  }

  dispose(): void {
    this.saving.dispose();
    this.restoring.dispose();
    for (const copy of this.copies) copy.dispose();
  }
}

function copying(from: readonly NativeVariable[], to: readonly NativeVariable[]): NativeProgram {
  return call(() => {
    const graph = new addon.Graph();
    from.forEach((source, i) => graph.assign(to[i]!, graph.parameter(source)));
    graph.setOutputs([], []);
    const program = graph.compile();
    graph.dispose();
    return program;
  });
}
