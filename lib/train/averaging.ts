// Averages of weights beside those that are trained: exponential moving averages, and stochastic weight averaging (Izmailov et al. 2018).
// The average of step s is folded in within the program of step s + 1, from the weights that it reads, so that it costs no call; for a
// validation, and at the end, the weights of now are folded in as they take the average's place.
import { requireCount, requireWithin, requireFlag } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";
import { call, callAsync } from "../native/index.js";
import type { NamedVariable, Participant } from "../checkpoint/index.js";
import type { NamedParameter } from "../nn/index.js";
import { Parameter } from "../tensor/parameter.js";
import { Program } from "../tensor/program.js";
import { Trace, within } from "../tensor/trace.js";

/** How weights are averaged; made by `train.ema` and `train.swa`. */
export interface WeightAveraging {
  readonly kind: "ema" | "swa";
  readonly options: Readonly<Record<string, number | boolean>>;
  /** How much of the average stays as the weights after `step` steps are folded in; 0 begins it. */
  keep(step: number): number;
}

/**
 * The exponential moving average of the weights, running statistics included: average ← decay · average + (1 − decay) · weights after every
 * step. Validations, the best weights and the model at the end are of the average.
 *
 * @param options `decay`: how much stays, default 0.999; `warmup`: at most (1 + step) / (10 + step), so that the start is forgotten, default
 *   true.
 * @example
 * const averaged = { average: train.ema({ decay: 0.99 }) };
 */
export function ema(options: { readonly decay?: number; readonly warmup?: boolean } = {}): WeightAveraging {
  const where = "train.ema";
  checkOptions(where, options, ["decay", "warmup"]);
  const { decay = 0.999, warmup = true } = options;
  requireWithin(where, "decay", decay, 0, 1);
  requireFlag(where, "warmup", warmup);
  const keep = (step: number) => (step === 0 ? 0 : warmup ? Math.min(decay, (1 + step) / (10 + step)) : decay);
  return { kind: "ema", options: { decay, warmup }, keep };
}

/**
 * The plain average of the weights after `start` steps, and after every `every`-th from there on. Until `start` it is the weights
 * themselves.
 *
 * @example
 * const averaged = { average: train.swa({ start: 3000, every: 100 }) };
 */
export function swa(options: { readonly start: number; readonly every?: number }): WeightAveraging {
  const where = "train.swa";
  checkOptions(where, options, ["start", "every"]);
  const { start, every = 1 } = options;
  requireCount(where, "start", start);
  requireCount(where, "every", every);
  const keep = (step: number) => {
    if (step <= start) return 0;
    const count = (step - start) / every;
    return Number.isInteger(count) ? count / (count + 1) : 1;
  };
  return { kind: "swa", options: { start, every }, keep };
}

/** @throws ArgumentError unless it was made by `train.ema` or `train.swa`. */
export function checkAveraging(where: string, value: unknown): asserts value is WeightAveraging | undefined {
  const { keep } = (value ?? {}) as Partial<WeightAveraging>;
  if (value === undefined || typeof keep === "function") return;
  const call = typeof value === "function" ? "; call it" : "";
  throw new ArgumentError(`${where}: average must be train.ema() or train.swa({ start }), got ${got(value)}${call}`);
}

/** The average of one run's weights. */
export class WeightAverage {
  private readonly how: WeightAveraging;
  private readonly weights: readonly NamedParameter[];
  private readonly averages: readonly Parameter[];
  private readonly kept: readonly Parameter[];
  private readonly entering: Program;
  private readonly leaving: Program;
  private readonly keep = (step: number): number => this.how.keep(step);

  constructor(how: WeightAveraging, parameters: readonly NamedParameter[]) {
    this.how = how;
    this.weights = parameters.filter(({ parameter }) => parameter.dtype === "f32");
    const like = () => this.weights.map(({ parameter: { shape } }) => new Parameter(shape, { trainable: false }));
    [this.averages, this.kept] = [like(), like()];
    this.entering = this.program((trace) => {
      const keep = trace.input("keep", "f64", []).cast("f32");
      this.weights.forEach(({ parameter }, i) => {
        const now = trace.parameter(parameter);
        trace.update(this.kept[i]!, now);
        trace.update(parameter, now.add(trace.parameter(this.averages[i]!).sub(now).mul(keep)));
      });
    });
    this.leaving = this.program((trace) => {
      this.weights.forEach(({ parameter }, i) => trace.update(parameter, trace.parameter(this.kept[i]!)));
    });
  }

  /** Folds the weights before a step into the average, within its program. */
  follow(trace: Trace): void {
    const keep = trace.stepNumber(this.keep, "train.fit: average");
    this.weights.forEach(({ parameter }, i) => {
      const [old, now] = [trace.parameter(this.averages[i]!), trace.parameter(parameter)];
      trace.update(this.averages[i]!, now.add(old.sub(now).mul(keep)));
    });
  }

  /** Puts the average after so many steps in the place of the weights. */
  async enter(step: number): Promise<void> {
    await callAsync(() => this.entering.native.run([Float64Array.of(this.how.keep(step))], [], 0, 0));
  }

  /** Puts the weights back. */
  async leave(): Promise<void> {
    await callAsync(() => this.leaving.native.run([], [], 0, 0));
  }

  /** What of it is kept in a checkpoint. */
  participant(): Participant {
    return { tensors: () => this.averages.map((each, i): NamedVariable => [this.weights[i]!.name, each.native]) };
  }

  dispose(): void {
    this.entering.dispose();
    this.leaving.dispose();
    for (const each of [...this.averages, ...this.kept]) each.dispose();
  }

  private program(write: (trace: Trace) => void): Program {
    const trace = new Trace();
    within(trace, () => write(trace));
    trace.commit();
    trace.setOutputs({});
    const program = new Program(trace.compile(), "train.fit: average");
    call(() => trace.graph.dispose());
    return program;
  }
}
