// The validations of a run: when they are due, and what they measure.
import type { ModuleLike } from "../nn/index.js";
import type { Loss } from "../loss/index.js";
import type { Cancellation } from "./cancellation.js";
import { Evaluator } from "./evaluator.js";
import type { Figures, ValidationPlan } from "./fit-options.js";
import { MetricPass } from "./metric-pass.js";

/** Measures a model between two steps of its training. */
export class Validation {
  private readonly plan: ValidationPlan;
  private readonly evaluator: Evaluator;
  private readonly steps: number;
  private last = performance.now();

  /** @throws what tracing throws. */
  constructor(where: string, plan: ValidationPlan, model: ModuleLike, loss: Loss, steps: number) {
    this.plan = plan;
    this.steps = steps;
    const { on, metrics, batchSize } = plan;
    const collect = Object.keys(metrics).length > 0;
    this.evaluator = new Evaluator({ where: `${where}: validate`, model, x: on.x, y: on.y, loss, batchSize, collect });
  }

  /** The next step count above `step` at which one is due by steps. */
  due(step: number): number {
    const { every } = this.plan;
    return every.kind === "steps" ? (Math.floor(step / every.steps) + 1) * every.steps : Infinity;
  }

  /** Whether one is due after so many steps. */
  isDue(step: number, epochEnded: boolean): boolean {
    const { every } = this.plan;
    if (step === this.steps) return true;
    if (every.kind === "epoch") return epochEnded;
    return every.kind === "steps" ? step % every.steps === 0 : performance.now() - this.last >= every.ms;
  }

  /** The figures of now: "val.loss" and "val.<metric>". */
  async run(cancellation: Cancellation): Promise<Partial<Figures>> {
    const { metrics, on } = this.plan;
    const pass = new MetricPass(metrics, on.y);
    const loss = await this.evaluator.run(cancellation, (block, row) => pass.update(block, row));
    const named = Object.entries(pass.results()).map(([name, value]) => [`val.${name}`, value as number] as const);
    this.last = performance.now();
    return { "val.loss": loss, ...Object.fromEntries(named) };
  }

  dispose(): void {
    this.evaluator.dispose();
  }
}
