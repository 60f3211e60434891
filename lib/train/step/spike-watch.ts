// Whether the loss of a step is a spike, decided within its program, so that no weight has moved: it is further above the moving average of
// the losses than so many of their mean absolute deviations. The averages are those of the steps that were taken, so that they are the
// same however many steps go into one native call.
import { Parameter } from "../../tensor/parameter.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Trace } from "../../tensor/trace.js";
import type { NamedVariable, Participant } from "../../checkpoint/index.js";

/** Name of the output that says so: 1 for a spike, else 0. */
export const SPIKE = "#spike";

/** What {@link SpikeWatch} goes by. */
export interface SpikeMeasure {
  /** Mean absolute deviations above the average. */
  readonly deviations: number;
  /** Steps that are only looked at. */
  readonly warmup: number;
  /** How much of the averages stays with every step. */
  readonly decay: number;
}

/** A step as the watch sees it. */
export interface WatchedLoss {
  /** NaN where the loss is a spike: the step is left out then. */
  readonly loss: Tensor;
  /** f32 []: 1 for a spike. */
  readonly spike: Tensor;
}

/** The moving averages of one run's losses. */
export class SpikeWatch {
  private readonly measure: SpikeMeasure;
  private readonly mean = scalar();
  private readonly deviation = scalar();
  private readonly count = scalar();

  constructor(measure: SpikeMeasure) {
    this.measure = measure;
  }

  /** Adds to the graph of a step; the averages follow where the step is taken. */
  watch(trace: Trace, loss: Tensor): WatchedLoss {
    const { deviations, warmup, decay } = this.measure;
    const [mean, deviation, count] = [this.mean, this.deviation, this.count].map((each) => trace.parameter(each)) as [Tensor, Tensor, Tensor]; // prettier-ignore
    const distance = loss.sub(mean);
    const isSpike = count.ge(warmup).and(distance.gt(deviation.mul(deviations)));
    const zero = distance.sub(distance);
    const share = count
      .add(1)
      .reciprocal()
      .maximum(1 - decay);
    const known = count.minimum(1); // the first loss has nothing to be away from
    trace.update(this.mean, mean.add(distance.mul(share)));
    trace.update(this.deviation, deviation.add(distance.abs().mul(known).sub(deviation).mul(share)));
    trace.update(this.count, count.add(1));
    return { loss: isSpike.where(zero.div(zero), loss), spike: isSpike.cast("f32") };
  }

  /** What of it is kept in a checkpoint. */
  participant(): Participant {
    const tensors: NamedVariable[] = [
      ["mean", this.mean.native],
      ["deviation", this.deviation.native],
      ["count", this.count.native],
    ];
    return { tensors: () => tensors };
  }

  dispose(): void {
    for (const each of [this.mean, this.deviation, this.count]) each.dispose();
  }
}

const scalar = () => new Parameter([], { trainable: false, fill: { kind: "constant", a: 0, b: 0 } });
