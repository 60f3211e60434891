// What criteria read beside the weights, summed up in the engine: gradients and inputs over the samples of `calibrate`, movement over
// training steps. Only what a criterion asked for is gathered.
import { ArgumentError } from "../errors.js";
import { call } from "../native/index.js";
import type { Participant } from "../checkpoint/index.js";
import type { Dataset } from "../data/index.js";
import type { Loss } from "../loss/index.js";
import { feed } from "../nn/input.js";
import type { Module } from "../nn/module.js";
import { DataPass, type BatchProgram } from "../train/data/data-pass.js";
import { MemoryFeed } from "../train/data/memory-feed.js";
import type { Cancellation } from "../train/run/cancellation.js";
import { NdArray } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import { Program } from "../tensor/program.js";
import type { Tensor } from "../tensor/tensor.js";
import { Trace, within } from "../tensor/trace.js";
import { withHooks } from "./hook.js";

/** What is gathered, by its name in {@link CriterionInputs}. */
export type StatisticName = "gradient" | "gradientSquare" | "movement" | "inputNorm";

/** Samples to gather from. */
export interface Calibration {
  readonly samples: Dataset;
  /** Needed for everything but the norm of inputs. */
  readonly loss: Loss | undefined;
  readonly batchSize: number;
}

/** Statistics of some parameters of a model. */
export class Statistics {
  readonly names: ReadonlySet<StatisticName>;
  private readonly where: string;
  private readonly model: Module;
  private readonly parameters: readonly Parameter[];
  private readonly calibration: Calibration | undefined;
  private readonly sums = new Map<string, Parameter>();
  private pass: DataPass<BatchProgram> | undefined;
  private moved = false;

  /** @throws ArgumentError if there is nothing to gather from. */
  constructor(source: {
    where: string;
    model: Module;
    parameters: readonly Parameter[];
    names: ReadonlySet<StatisticName>;
    calibration: Calibration | undefined;
  }) {
    const { where, model, parameters, names, calibration } = source;
    this.where = where;
    this.model = model;
    this.parameters = parameters;
    this.names = names;
    this.calibration = calibration;
    if (names.size > 0 && !calibration) {
      throw new ArgumentError(
        `${where}: the criterion reads ${listed(names)}, which takes samples: give calibrate: { x, y }${needsLoss(names) ? " and loss" : ""}`,
      );
    }
    if (needsLoss(names) && !calibration?.loss) {
      throw new ArgumentError(
        `${where}: the criterion reads ${listed(names)}, which takes a loss: give loss, such as loss.crossEntropy()`,
      );
    }
    for (const name of names) {
      parameters.forEach(({ shape }, i) => this.sums.set(`${name}.${i}`, new Parameter(shape, { trainable: false })));
    }
  }

  /** A statistic of parameter `i` in a trace, as {@link CriterionInputs} has it. */
  tensor(trace: Trace, name: StatisticName, i: number): Tensor {
    const sum = trace.parameter(this.sums.get(`${name}.${i}`)!);
    return name === "inputNorm" ? norms(sum) : sum;
  }

  /** How many weights of parameter `i` multiply inputs that were 0 in all samples; undefined if inputs were not gathered. */
  unseen(trace: Trace, i: number): Tensor | undefined {
    const sum = this.sums.get(`inputNorm.${i}`);
    return sum && trace.parameter(sum).eq(0).cast("f64").sum();
  }

  /** Adds the movement of a training step to its graph. */
  follow(trace: Trace, gradients: ReadonlyMap<Parameter, Tensor>): void {
    if (!this.names.has("movement")) return;
    this.parameters.forEach((parameter, i) => {
      const gradient = gradients.get(parameter);
      if (gradient) this.add(trace, "movement", i, trace.parameter(parameter).mul(gradient).neg());
    });
  }

  /** What outlives a training step: the movement. Everything else is gathered anew when it is read. */
  participant(): Participant {
    if (!this.names.has("movement")) return {};
    return {
      tensors: () => this.parameters.map(({ name }, i) => [name, this.sums.get(`movement.${i}`)!.native] as const),
    };
  }

  /** Says that training begins: movement counts from here on and need not be estimated any more. */
  beginTraining(): void {
    if (!this.names.has("movement")) return;
    this.clear("movement");
    this.moved = true;
    this.release();
  }

  /** Brings the statistics up to the weights of now. @throws AbortedError */
  async update(cancellation: Cancellation): Promise<void> {
    const wanted = [...this.names].filter((name) => name !== "movement" || !this.moved);
    if (wanted.length === 0) return;
    for (const name of wanted) this.clear(name);
    this.pass ??= this.compile(new Set(wanted));
    await this.pass.run(cancellation);
  }

  dispose(): void {
    this.release();
    for (const sum of this.sums.values()) sum.dispose();
    this.sums.clear();
  }

  private clear(name: StatisticName): void {
    this.parameters.forEach(({ shape, size }, i) =>
      this.sums.get(`${name}.${i}`)!.write(new NdArray(new Float32Array(size), shape)),
    );
  }

  private release(): void {
    this.pass?.dispose();
    this.pass = undefined;
  }

  private compile(wanted: ReadonlySet<StatisticName>): DataPass<BatchProgram> {
    const { where } = this;
    const { samples, batchSize } = this.calibration!;
    const rows = Math.min(batchSize, samples.length);
    const feed = new MemoryFeed({ columns: { x: samples.x, y: samples.y }, rows, shuffle: false, dropLast: false });
    return new DataPass({ where, feed, seconds: 0.05, compile: (batch) => this.program(wanted, batch) });
  }

  private program(wanted: ReadonlySet<StatisticName>, batch: number): BatchProgram {
    const { samples, loss } = this.calibration!;
    const trace = new Trace({ training: false });
    within(trace, () => {
      const [x, y] = [samples.x, samples.y].map((column, i) =>
        trace.input("xy"[i]!, column.dtype, [batch, ...column.shape.slice(1)]),
      ) as [Tensor, Tensor];
      const forward = () => feed(this.model, x);
      const hooked = wanted.has("inputNorm") ? withHooks(this.parameters, forward) : undefined;
      hooked?.inputSquares.forEach((squares, i) => squares && this.add(trace, "inputNorm", i, squares));
      if (needsLoss(wanted)) this.addGradients(trace, loss!(hooked?.result ?? forward(), y), wanted, batch);
    });
    trace.commit();
    call(() => trace.graph.setOutputs([], []));
    return { program: new Program(trace.compile(), this.where), trace };
  }

  private addGradients(trace: Trace, loss: Tensor, wanted: ReadonlySet<StatisticName>, batch: number): void {
    const weights = this.parameters.map((parameter) => trace.parameter(parameter));
    const share = batch / this.calibration!.samples.length;
    trace.gradients(loss.rank === 0 ? loss : loss.reshape([]), weights).forEach((gradient, i) => {
      if (wanted.has("gradient")) this.add(trace, "gradient", i, gradient.mul(share));
      if (wanted.has("gradientSquare")) this.add(trace, "gradientSquare", i, gradient.square().mul(share));
      if (wanted.has("movement")) this.add(trace, "movement", i, weights[i]!.mul(gradient).neg());
    });
  }

  private add(trace: Trace, name: StatisticName, i: number, term: Tensor): void {
    const sum = this.sums.get(`${name}.${i}`)!;
    trace.update(sum, trace.parameter(sum).add(term));
  }
}

// Roots of Σ x². An input that was never seen counts as the least that was seen, so that its weights go first, the small ones before
// the large ones; where none was seen all count as 1.
function norms(squares: Tensor): Tensor {
  const seen = squares.gt(0);
  const least = seen.where(squares, Infinity).min();
  return seen.where(squares, least.isFinite().where(least, 1)).sqrt();
}

const needsLoss = (names: ReadonlySet<StatisticName>): boolean => [...names].some((name) => name !== "inputNorm");

const listed = (names: ReadonlySet<StatisticName>): string => [...names].join(" and ");
