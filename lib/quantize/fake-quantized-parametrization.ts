// A parameter that is trained in floats but used as it will be once packed: its f32 master copy is rounded on the way into every
// product, and so are the layer's inputs where the scheme says so. Steps are worked out from the weights at every use, or trained
// (LSQ, Esser et al. 2020).
import type { Conv2dGeometry, Parametrization } from "../tensor/parametrization.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Trace } from "../tensor/trace.js";
import { fakeQuantize, highOf, stepsOf, straightThrough, tableOf, toBf16, trainedStep, type Steps } from "./grid.js";
import { fakeDynamic, fakeStatic } from "./inputs.js";
import type { Layout } from "./layout.js";
import type { Scheme } from "./scheme.js";
import { scaleColumns, scaleInputs } from "./smoothing.js";

/** Parts of a fake-quantized parameter; all but the steps of LSQ are kept as they are. */
export interface FakeParts {
  /** Trained scale f32 [N, G]; [1, 1] where one serves the whole weight. */
  readonly step?: Parameter;
  /** f32 [N, G]: integers that stand for 0, beside a trained scale. */
  readonly zero?: Parameter;
  /** f32 [C], of a learned table. */
  readonly table?: Parameter;
  /** f32 [1]: scale of static inputs. */
  readonly inputStep?: Parameter;
  /** f32 [1]: integer zero of static inputs. */
  readonly inputZero?: Parameter;
  /** f32 [C]: inputs are multiplied by it. */
  readonly smooth?: Parameter;
}

/** A fake-quantized weight; see {@link Parametrization}. */
export class FakeQuantizedParametrization implements Parametrization {
  readonly kind: string;
  readonly packed = false;
  readonly scheme: Scheme;
  readonly layout: Layout;
  readonly parts: Readonly<Record<string, Parameter>>;

  constructor(scheme: Scheme, layout: Layout, parts: FakeParts) {
    this.kind = `fake-${scheme.name}`;
    this.scheme = scheme;
    this.layout = layout;
    this.parts = { ...parts };
  }

  /** The weight that the product takes, before rounding: columns scaled where inputs are. */
  scaled(master: Tensor): Tensor {
    const smooth = this.parts.smooth;
    return smooth ? scaleColumns(master, master.trace.parameter(smooth).reciprocal()) : master;
  }

  /** The steps for a weight as {@link scaled}. */
  steps(w: Tensor): Steps {
    const at = (name: string) => this.parts[name] && w.trace.parameter(this.parts[name]);
    const table = at("table") ?? tableOf(w, this.scheme.grid);
    const step = at("step");
    if (!step) return stepsOf(w, this.layout, this.scheme, table);
    const { rows, groups } = this.layout;
    const trained = trainedStep(step, w.shape.reduce((a, b) => a * b, 1) / step.shape.reduce((a, b) => a * b, 1), highOf(this.scheme.grid)); // prettier-ignore
    const scale =
      typeof this.scheme.per === "number" ? straightThrough(toBf16(trained.stopGradient()), trained) : trained;
    const column = (t: Tensor) => t.reshape([...t.shape, 1]).broadcastTo([rows, groups, 1]);
    const zero = at("zero");
    return { scale: column(scale), zero: zero && column(zero), table };
  }

  tensor(trace: Trace, master: Tensor | undefined): Tensor {
    const w = this.rounded(master!);
    const smooth = this.parts.smooth;
    return smooth ? scaleColumns(w, trace.parameter(smooth)) : w;
  }

  matmul(x: Tensor, master: Tensor | undefined, transB: boolean): Tensor | undefined {
    if (!transB || master!.rank !== 2) return undefined;
    return x.trace.apply("matmul", [this.input(x, false), this.rounded(master!)], { trans_a: false, trans_b: true });
  }

  conv2d(x: Tensor, master: Tensor | undefined, geometry: Conv2dGeometry): Tensor | undefined {
    return x.trace.apply("conv2d", [this.input(x, true), this.rounded(master!)], { ...geometry });
  }

  clone(): FakeQuantizedParametrization {
    const parts = Object.entries(this.parts).map(([name, part]) => [name, part.clone()] as const);
    return new FakeQuantizedParametrization(this.scheme, this.layout, Object.fromEntries(parts));
  }

  dispose(): void {
    for (const part of Object.values(this.parts)) part.dispose();
  }

  private rounded(master: Tensor): Tensor {
    const w = this.scaled(master);
    return fakeQuantize(w, this.layout, this.scheme, this.steps(w), this.parts.step !== undefined);
  }

  private input(x: Tensor, convolution: boolean): Tensor {
    const { smooth, inputStep, inputZero } = this.parts;
    const scaled = smooth ? scaleInputs(x, x.trace.parameter(smooth), convolution) : x;
    const { activations } = this.scheme;
    if (activations === "float") return scaled;
    if (activations === "dynamic") return fakeDynamic(scaled, convolution);
    const step = x.trace.parameter(inputStep!);
    const count = x.shape.slice(1).reduce((a, b) => a * b, 1);
    const scale = inputStep!.trainable ? trainedStep(step, count, 127) : step;
    return fakeStatic(scaled, { scale, zero: x.trace.parameter(inputZero!) });
  }
}
