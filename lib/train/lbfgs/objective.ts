// A loss as a function of one vector of all trainable parameters.
import { ArgumentError } from "../../errors.js";
import { call } from "../../native/index.js";
import type { Module, NamedParameter } from "../../nn/index.js";
import { NdArray } from "../../tensor/nd-array.js";
import { Program } from "../../tensor/program.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Trace, within } from "../../tensor/trace.js";
import { figuresOf } from "../step/step-program.js";
import type { BatchTensors } from "../step/step-types.js";

/** The loss and its gradient at a point. */
export interface Evaluated {
  readonly at: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
}

/** Evaluates the loss with the parameters set to a vector; disposing it leaves the last vector that was accepted. */
export class Objective {
  /** The parameters as they were. */
  readonly start: Float64Array;
  private readonly parameters: readonly NamedParameter[];
  private readonly masks: readonly (Uint8Array | undefined)[];
  private readonly program: Program;
  private readonly trace: Trace;
  private readonly feeds: readonly NdArray["data"][];
  private readonly signal: AbortSignal | undefined;
  private accepted: Float64Array;

  constructor(
    where: string,
    model: Module,
    batch: Readonly<Record<string, NdArray>>,
    body: (batch: BatchTensors) => Tensor,
    signal: AbortSignal | undefined,
  ) {
    const trace = (this.trace = new Trace({ training: false }));
    const { loss: value } = within(trace, () => {
      const inputs = Object.entries(batch).map(
        ([name, { dtype, shape }]) => [name, trace.input(name, dtype, shape)] as const,
      );
      return figuresOf(where, body(Object.fromEntries(inputs)));
    });
    const used = new Set(trace.usedParameters());
    this.parameters = model.assignNames().namedParameters().filter(({ parameter }) => parameter.trainable && used.has(parameter)); // prettier-ignore
    if (this.parameters.length === 0) {
      throw new ArgumentError(`${where}: the loss does not depend on a trainable parameter of the model`);
    }
    this.masks = this.parameters.map(({ parameter }) => parameter.readMask());
    const gradients = trace.gradients(value!, this.parameters.map(({ parameter }) => trace.parameter(parameter))); // prettier-ignore
    trace.setOutputs({
      value: value!,
      ...Object.fromEntries(gradients.map((gradient, i) => [`gradient.${i}`, gradient])),
    });
    this.program = new Program(trace.compile(), where);
    this.feeds = this.program.inputs.map(({ name }) => batch[name]!.data);
    this.signal = signal;
    this.start = this.accepted = this.joined(this.parameters.map(({ parameter }) => parameter.readSync().data));
  }

  /** The value and the gradient at x, as it is in f32. */
  async evaluate(x: Float64Array): Promise<Evaluated> {
    this.write(x);
    const results = await this.program.runValues(this.feeds, { signal: this.signal });
    const named = new Map(this.program.outputs.map(({ name }, i) => [name, results[i]!]));
    const gradient = this.joined(this.parameters.map((_, i) => named.get(`gradient.${i}`)!));
    return { at: this.rounded(x), value: named.get("value")![0]!, gradient };
  }

  /** What x is in f32. */
  rounded(x: Float64Array): Float64Array {
    return Float64Array.from(x, Math.fround);
  }

  /** Makes x what the parameters are in the end. */
  accept(x: Float64Array): void {
    this.accepted = x;
  }

  dispose(): void {
    this.write(this.accepted);
    this.program.dispose();
    call(() => this.trace.graph.dispose());
  }

  private write(x: Float64Array): void {
    let at = 0;
    for (const { parameter } of this.parameters) {
      const { size, shape } = parameter;
      parameter.write(new NdArray(Float32Array.from(x.subarray(at, at + size)), shape));
      at += size;
    }
  }

  // What a mask hides does not move, so that it counts as 0.
  private joined(parts: readonly ArrayLike<number>[]): Float64Array {
    const joined = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    parts.forEach((part, i) => {
      joined.set(part, at);
      this.masks[i]?.forEach((kept, k) => {
        if (kept === 0) joined[at + k] = 0;
      });
      at += part.length;
    });
    return joined;
  }
}
