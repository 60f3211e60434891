// Gradients of several batches as one step: each batch but the last adds what it counted times its gradients to sums of the run; the last
// divides by all that was counted, so that the step is that of the whole batch.
import { call } from "../../native/index.js";
import { Parameter } from "../../tensor/parameter.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Trace } from "../../tensor/trace.js";

/** The sums of a run: one for each gradient, and one for what was counted. */
export class GradientSums {
  readonly sums: readonly Parameter[];
  readonly counted: Parameter;

  constructor(parameters: readonly Parameter[]) {
    const zero = (shape: readonly number[]) =>
      new Parameter(shape, { trainable: false, fill: { kind: "constant", a: 0, b: 0 } });
    this.sums = parameters.map(({ shape }) => zero(shape));
    this.counted = zero([]);
  }

  /** Adds a batch; `weight` is what its loss counted, or "sum" for a loss that is a sum. */
  add(trace: Trace, gradients: readonly Tensor[], weight: Tensor | "sum"): void {
    const { totals, counted } = this.with(trace, gradients, weight);
    totals.forEach((total, i) => call(() => trace.graph.assign(this.sums[i]!.native, total.id)));
    call(() => trace.graph.assign(this.counted.native, counted.id));
  }

  /** The gradients of the step that this batch ends; the sums begin anew, also where the step is skipped. */
  close(trace: Trace, gradients: readonly Tensor[], weight: Tensor | "sum"): Tensor[] {
    const { totals, counted } = this.with(trace, gradients, weight);
    for (const each of [...this.sums, this.counted]) {
      const zeros = trace.parameter(each).mul(0).isFinite().where(trace.scalar(0, "f32"), 0); // 0, whatever it held
      call(() => trace.graph.assign(each.native, zeros.id));
    }
    return weight === "sum" ? totals : totals.map((total) => total.div(counted));
  }

  dispose(): void {
    for (const each of [...this.sums, this.counted]) each.dispose();
  }

  private with(trace: Trace, gradients: readonly Tensor[], weight: Tensor | "sum") {
    const part = weight === "sum" ? trace.scalar(1, "f32") : weight;
    const totals = gradients.map((gradient, i) => trace.parameter(this.sums[i]!).add(gradient.mul(part)));
    return { totals, counted: trace.parameter(this.counted).add(part) };
  }
}
