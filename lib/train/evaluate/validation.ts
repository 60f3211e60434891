// The validations of a run: when they are due, and what they measure.
import type { DeviceName } from "../../device/index.js";
import type { ModuleLike } from "../../nn/index.js";
import type { Loss } from "../../loss/index.js";
import type { Cancellation } from "../run/cancellation.js";
import { Evaluator } from "./evaluator.js";
import type { RunData } from "../data/run-data.js";
import type { ValidationPlan } from "../fit-options.js";
import type { MetricValues } from "../run/records.js";
import { MetricPass } from "./metric-pass.js";

/** What {@link Validation} is made of. */
export interface ValidationSource {
  readonly where: string;
  readonly plan: ValidationPlan;
  readonly model: ModuleLike;
  readonly loss: Loss;
  /** Of the whole run. */
  readonly steps: number;
  readonly device: DeviceName | undefined;
  readonly cancellation: Cancellation;
}

/** Measures a model between two steps of its training. */
export class Validation {
  private readonly plan: ValidationPlan;
  private readonly evaluators: readonly (readonly [prefix: "val" | "train", evaluator: Evaluator])[];
  private readonly steps: number;
  private last = { at: performance.now(), step: -1 };

  /** @throws what tracing throws. */
  constructor(source: ValidationSource) {
    const { where, plan, model, loss, steps, device, cancellation } = source;
    this.plan = plan;
    this.steps = steps;
    const { on, training, metrics, batchSize } = plan;
    const collect = Object.keys(metrics).length > 0;
    const over = (data: RunData) =>
      new Evaluator({ where: `${where}: validate`, model, data, loss, batchSize, device, collect, cancellation });
    this.evaluators = training ? [["val", over(on)], ["train", over(training)]] : [["val", over(on)]]; // prettier-ignore
  }

  /** The next step count above `step` at which one is due by steps. */
  due(step: number): number {
    const { every } = this.plan;
    return every.kind === "steps" ? (Math.floor(step / every.steps) + 1) * every.steps : Infinity;
  }

  /** Whether one is due after so many steps. */
  isDue(step: number, epochEnded: boolean): boolean {
    const { every } = this.plan;
    if (step === this.last.step) return false;
    if (step === this.steps) return true;
    if (every.kind === "epoch") return epochEnded;
    return every.kind === "steps" ? step % every.steps === 0 : performance.now() - this.last.at >= every.ms;
  }

  /** The metrics of now, after so many steps: "val.loss" and "val.<metric>", and those of the training samples. */
  async run(step: number): Promise<Partial<MetricValues>> {
    const metrics: Record<string, number> = {};
    for (const [prefix, evaluator] of this.evaluators) {
      const pass = new MetricPass(this.plan.metrics);
      metrics[`${prefix}.loss`] = await evaluator.run((block, _, y) => pass.update(block, y!));
      for (const [name, value] of Object.entries(pass.results())) metrics[`${prefix}.${name}`] = value as number;
    }
    this.last = { at: performance.now(), step };
    return metrics;
  }

  /** Forgets when the last one was, for a run that has gone back to before it. */
  forget(): void {
    this.last = { ...this.last, step: -1 };
  }

  dispose(): void {
    for (const [, evaluator] of this.evaluators) evaluator.dispose();
  }
}
