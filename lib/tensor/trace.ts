// One trace: the native graph that a function of tensors writes itself into. The current trace is what lets a Parameter or a
// dropout, which hold no tensor, take part.
// Long because everything that a trace is asked for goes through it, and nothing else touches the graph.
import { deviceName, type DeviceName, type DeviceOption } from "../device/index.js";
import { AthanorError } from "../errors.js";
import { ArgumentError } from "../errors.js";
import {
  addon,
  call,
  type NativeAttrs,
  type NativeGraph,
  type NativeProgram,
  type NativeVariable,
  type ValueId,
} from "../native/index.js";
import type { NoAttrs, OpAttrs, OpName, operations } from "../native/operations.js";
import type { NativeRankGroup } from "../native/ranks.js";
import { requireExact } from "./conversion.js";
import type { DType } from "./dtype.js";
import type { NdArray } from "./nd-array.js";
import { Origins } from "./origins.js";
import type { Parameter } from "./parameter.js";
import { Tensor } from "./tensor.js";

/** The operands of an operation: as many as its row says. */
type Operands<O extends OpName> = (typeof operations)[O]["arity"] extends 0
  ? readonly []
  : (typeof operations)[O]["arity"] extends 1
    ? readonly [Tensor]
    : (typeof operations)[O]["arity"] extends 2
      ? readonly [Tensor, Tensor]
      : (typeof operations)[O]["arity"] extends 3
        ? readonly [Tensor, Tensor, Tensor]
        : readonly Tensor[];

/** The attributes of an operation, which may be left out where none is required. */
type Attrs<O extends OpName> = NoAttrs extends OpAttrs[O] ? [attrs?: OpAttrs[O]] : [attrs: OpAttrs[O]];

/** How a trace is to be read by layers that differ between training and use. */
export interface TraceOptions {
  /** Dropout drops, batch norm uses the batch's statistics. Default false. */
  readonly training?: boolean;
  /** What it is compiled for. Default "cpu". */
  readonly device?: DeviceOption | undefined;
}

/** A number that changes from step to step of a training run, as a schedule. */
export type StepNumber = (step: number, total: number, stepsPerEpoch?: number) => number;

/** What a training run lends to every trace of its step. */
export interface StepScope {
  /** State that belongs to the run: made when `key` is first asked for, with the run's seed; the same in all of its traces. */
  auxiliary<T extends AuxiliaryModule>(key: object, make: (seed: number, index: number) => T): T;
}

/** What a run keeps beside its model. */
export interface AuxiliaryModule {
  dispose(): void;
}

/** Where a tensor comes from that ranks have parts of: who needs no more than the parts leaves the gathering out. */
export interface Gathered {
  /** This rank's part along the last dimension. */
  readonly part: Tensor;
  /** Extents of all parts. */
  readonly sizes: readonly number[];
  readonly group: NativeRankGroup;
}

/** Tokens (places along axis 1) that the ranks of a group have among them: who is at work between two layers that exchange them. */
export interface DividedTokens {
  readonly group: NativeRankGroup;
  /** How many each rank has. */
  readonly sizes: readonly number[];
}

/** A graph being written. */
export class Trace {
  readonly graph: NativeGraph;
  /** The training run whose step this is, if it is one. */
  readonly step: StepScope | undefined;
  private mode: boolean;
  private readonly device: DeviceName | undefined;
  private closed = false;
  private frozenDepth = 0;
  private streams = 0;
  /** Where values come from, as far as losses ask. */
  readonly origins = new Origins();
  private readonly scopes: string[] = [];
  private readonly captures: { readonly depth: number; readonly layers: Map<string, Tensor> }[] = [];
  private readonly parameters = new Map<Parameter, Tensor>();
  private readonly parametrized = new Map<Parameter, Tensor>();
  private readonly used = new Set<Parameter>();
  private readonly updates = new Map<Parameter, Tensor>();
  /** Tensors that were gathered from the ranks of a group, and what they were gathered from. */
  readonly gathered = new WeakMap<Tensor, Gathered>();
  /** From where on tensors [batch, tokens, …] are this rank's tokens alone, as `parallel.tensor` has it with `sequence`. */
  tokens: DividedTokens | undefined;
  private readonly numbers = new Map<StepNumber, { readonly name: string; readonly tensor: Tensor }>();

  constructor(options: TraceOptions = {}, step?: StepScope) {
    this.graph = new addon.Graph();
    this.mode = options.training ?? false;
    this.device = deviceName("compile", options.device);
    this.step = step;
  }

  /** Whether layers that differ between training and use are being trained. */
  get training(): boolean {
    return this.mode;
  }

  /** A value that every run is fed. */
  input(name: string, dtype: DType, shape: readonly number[]): Tensor {
    return this.handle(call(() => this.graph.input(name, dtype, shape)));
  }

  /** What a parameter stands for, as its parametrization gives it; the same tensor however often it is asked for. */
  value(parameter: Parameter): Tensor {
    const { parametrization } = parameter;
    if (!parametrization) return this.parameter(parameter);
    const known = this.parametrized.get(parameter);
    if (known) return known;
    const tensor = parametrization.tensor(this, this.master(parameter));
    this.parametrized.set(parameter, tensor);
    return tensor;
  }

  /** A parameter's own numbers, which a parametrization starts from; undefined when it is packed. */
  master(parameter: Parameter): Tensor | undefined {
    return parameter.packed ? undefined : this.parameter(parameter);
  }

  /** A parameter's own numbers; the same tensor however often it is asked for. */
  parameter(parameter: Parameter): Tensor {
    if (this.frozenDepth === 0) this.used.add(parameter);
    const known = this.parameters.get(parameter);
    if (known) return known;
    const tensor = this.handle(call(() => this.graph.parameter(parameter.native)));
    this.parameters.set(parameter, tensor);
    return tensor;
  }

  /** What a variable holds that is no parameter of a model. */
  held(variable: NativeVariable): Tensor {
    return this.handle(call(() => this.graph.parameter(variable)));
  }

  constant(values: NdArray): Tensor {
    return this.handle(call(() => this.graph.constant(values.dtype, values.shape, values.data)));
  }

  /** @throws ArgumentError for a number that `dtype` does not hold; `where` names the operation. */
  scalar(value: number, dtype: DType, where = "a constant"): Tensor {
    requireExact(where, value, dtype);
    return this.handle(call(() => this.graph.scalar(value, dtype)));
  }

  /** Appends an operation; its first result. */
  apply<O extends OpName>(op: O, inputs: Operands<O>, ...[attrs]: Attrs<O>): Tensor {
    return this.handle(this.node(op, inputs, attrs));
  }

  /** Appends an operation; its first `count` results. */
  applyMany<O extends OpName>(op: O, inputs: Operands<O>, count: number, ...[attrs]: Attrs<O>): Tensor[] {
    const first = this.node(op, inputs, attrs);
    return Array.from({ length: count }, (_, i) => this.handle(first + i));
  }

  /** Appends an operation; all of its results. */
  applyAll(op: OpName, inputs: readonly Tensor[], attrs?: NativeAttrs): Tensor[] {
    const first = this.node(op, inputs, attrs);
    return Array.from({ length: this.graph.valueCount() - first }, (_, i) => this.handle(first + i));
  }

  /** Appends a collective within a group of ranks; its result. */
  collective(op: OpName, group: NativeRankGroup, inputs: readonly Tensor[], attrs: NativeAttrs): Tensor {
    const ids = this.checked(op, inputs);
    return this.handle(call(() => this.graph.collective(op, group, ids, attrs)));
  }

  /** d(loss)/d(value) for every value. */
  gradients(loss: Tensor, values: readonly Tensor[]): Tensor[] {
    this.requireOwn("gradients", [loss, ...values]);
    const ids = call(() =>
      this.graph.gradients(
        loss.id,
        values.map((value) => value.id),
      ),
    );
    return ids.map((id) => this.handle(id));
  }

  /** Makes `value` the parameter's value once the run is done. A later update of the same parameter replaces it. */
  update(parameter: Parameter, value: Tensor): void {
    this.requireOwn("update", [value]);
    this.updates.set(parameter, value);
  }

  /** The updates that {@link commit} would write. */
  pendingUpdates(): readonly (readonly [Parameter, Tensor])[] {
    return [...this.updates];
  }

  /**
   * Writes the updates into the graph; called once, when the trace is complete.
   *
   * @param when bool []: where it is false when run, every parameter keeps its value.
   */
  commit(when?: Tensor): void {
    for (const [parameter, value] of this.updates) {
      const kept = when ? when.where(value, this.parameter(parameter)) : value;
      call(() => this.graph.assign(parameter.native, kept.id));
    }
    this.updates.clear();
  }

  /** The parameters that were asked for so far, in that order; not those of frozen parts alone. */
  usedParameters(): Parameter[] {
    return [...this.used];
  }

  /** Runs `body` with layers as in use, whatever the trace is for; parameters that it asks for are not trained for it. */
  frozen<T>(body: () => T): T {
    const mode = this.mode;
    this.mode = false;
    this.frozenDepth++;
    try {
      return body();
    } finally {
      this.mode = mode;
      this.frozenDepth--;
    }
  }

  /** The result of `body`, and the tensor that every labelled layer in it gave, by path; of several calls the last. */
  capture<T>(body: () => T): { result: T; layers: ReadonlyMap<string, Tensor> } {
    const layers = new Map<string, Tensor>();
    this.captures.push({ depth: this.scopes.length, layers });
    try {
      return { result: body(), layers };
    } finally {
      this.captures.pop();
    }
  }

  /**
   * A number fed anew at every step of a training run, f32 [].
   *
   * @throws ArgumentError in a trace that is no training step.
   */
  stepNumber(at: StepNumber, where: string): Tensor {
    if (!this.step) {
      throw new ArgumentError(
        `${where}: a schedule needs the number of the step, which only train.fit and train.step know; give a number here`,
      );
    }
    const known = this.numbers.get(at);
    if (known) return known.tensor;
    const name = `#number${this.numbers.size}`;
    const tensor = this.input(name, "f64", []).cast("f32");
    this.numbers.set(at, { name, tensor });
    return tensor;
  }

  /** The numbers that were asked for, with the names of their inputs. */
  stepNumbers(): { readonly name: string; readonly at: StepNumber }[] {
    return [...this.numbers].map(([at, { name }]) => ({ name, at }));
  }

  /** A number that tells this random draw from the trace's others. */
  nextStream(): number {
    return this.streams++;
  }

  /** Runs `body` with nodes labelled as `name` of the layer around. */
  scoped<T>(name: string, body: () => T): T {
    this.scopes.push(name);
    this.graph.setScope(this.scopes.join("."));
    try {
      const result = body();
      const last: unknown = Array.isArray(result) ? result.at(-1) : result;
      if (last instanceof Tensor) this.note(last);
      return result;
    } catch (thrown) {
      throw this.locate(thrown);
    } finally {
      this.scopes.pop();
      this.graph.setScope(this.scopes.join("."));
    }
  }

  private note(result: Tensor): void {
    for (const { depth, layers } of this.captures) layers.set(this.scopes.slice(depth).join("."), result);
  }

  private located = new WeakSet<object>();

  // An error names the innermost layer it came from, once.
  private locate(thrown: unknown): unknown {
    if (!(thrown instanceof AthanorError) || this.located.has(thrown)) return thrown;
    this.located.add(thrown);
    const message = `${thrown.message} (layer "${this.scopes.join(".")}")`;
    Object.defineProperty(thrown, "message", { value: message, configurable: true, writable: true });
    return thrown;
  }

  /** What a run gives back, by name. @throws ArgumentError for a tensor of another trace */
  setOutputs(outputs: Readonly<Record<string, Tensor>>): void {
    const tensors = Object.values(outputs);
    this.requireOwn("outputs", tensors);
    const ids = tensors.map(({ id }) => id);
    call(() => this.graph.setOutputs(Object.keys(outputs), ids));
  }

  /**
   * Compiles what was traced for its device; from here on the trace is closed, and its tensors can be used no more.
   *
   * @param options `optimize`: run the passes. Default true.
   * @throws DeviceError where the device is not there; UnsupportedOpError for an operation that it cannot run.
   */
  compile(options?: { optimize: boolean }): NativeProgram {
    this.closed = true;
    return call(() => this.graph.compile({ ...options, device: this.device }));
  }

  private node(op: OpName, inputs: readonly Tensor[], attrs?: NativeAttrs | OpAttrs[OpName]): ValueId {
    const ids = this.checked(op, inputs);
    const id = call(() => this.graph.apply(op, ids, attrs as NativeAttrs | undefined));
    this.origins.note(id, op, ids);
    return id;
  }

  private checked(op: OpName, inputs: readonly Tensor[]): ValueId[] {
    if (this.closed) {
      throw new ArgumentError(
        `${op}: a tensor was used after its function had been traced; tensors live only inside that function: return what is needed from it, and a run gives its numbers`,
      );
    }
    this.requireOwn(op, inputs);
    return inputs.map((input) => input.id);
  }

  private requireOwn(where: string, tensors: readonly Tensor[]): void {
    for (const tensor of tensors) {
      if (tensor.trace === this) continue;
      throw new ArgumentError(
        `${where}: a tensor of another trace was used in this one; tensors live only inside the function being traced`,
      );
    }
  }

  private handle(id: ValueId): Tensor {
    const { dtype, shape } = this.graph.typeOf(id);
    return new Tensor(this, id, dtype, Object.freeze(shape));
  }
}

const stack: Trace[] = [];

/** The trace being written. @throws ArgumentError outside of one. */
export function currentTrace(where: string): Trace {
  const trace = stack.at(-1);
  if (trace) return trace;
  throw new ArgumentError(
    `${where}: only works while a function is being traced; wrap the call in compile((x) => …) and run that`,
  );
}

/** Runs `body` with `trace` as the current one. */
export function within<T>(trace: Trace, body: () => T): T {
  stack.push(trace);
  try {
    return body();
  } finally {
    stack.pop();
  }
}
