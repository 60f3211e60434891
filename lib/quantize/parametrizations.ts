// Fake-quantized parametrizations made for the weights of a model: their fixed parts, and those that LSQ trains.
import { array } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import { Parameter } from "../tensor/parameter.js";
import { currentTrace } from "../tensor/trace.js";
import type { NdArray } from "../tensor/nd-array.js";
import { FakeQuantizedParametrization, type FakeParts } from "./fake-quantized-parametrization.js";
import { stepsOf, tableOf } from "./grid.js";
import { learnTable } from "./kmeans.js";
import type { Target } from "./targets.js";

/** What is known of a weight beside its values. */
export interface Known {
  /** Static inputs. */
  readonly input?: { readonly scale: number; readonly zero: number } | undefined;
  /** 1 / s of the input channels. */
  readonly smooth?: NdArray | undefined;
}

type Parts = { -readonly [Name in keyof FakeParts]: FakeParts[Name] };

function holding(values: NdArray, trainable: boolean): Parameter {
  const parameter = new Parameter(values.shape, { trainable });
  parameter.write(values);
  return parameter;
}

/** The parametrization of a target. With `lsq` its scale (and the scale of static inputs) is trained, from where it stands now. */
export async function fakeQuantized(
  where: string,
  target: Target,
  known: Known,
  lsq: boolean,
): Promise<FakeQuantizedParametrization> {
  const { scheme, layout } = target;
  const parts: Parts = {};
  if (known.smooth) parts.smooth = holding(known.smooth, false);
  if (known.input) {
    parts.inputStep = holding(array(Float32Array.of(known.input.scale)), lsq);
    parts.inputZero = holding(array(Float32Array.of(known.input.zero)), false);
  }
  if (scheme.grid.kind === "learned") {
    parts.table = holding(
      await learnTable(where, target, new FakeQuantizedParametrization(scheme, layout, parts)),
      lsq,
    );
  }
  if (!lsq) return new FakeQuantizedParametrization(scheme, layout, parts);
  const first = new FakeQuantizedParametrization(scheme, layout, parts);
  const start = compile(
    () => {
      const w = first.scaled(currentTrace(where).parameter(target.parameter));
      const { scale, zero } = stepsOf(w, layout, scheme, parts.table ? undefined : tableOf(w, scheme.grid));
      const shape = [layout.rows, layout.groups];
      return { scale: scale.reshape(shape), ...(zero && { zero: zero.reshape(shape) }) };
    },
    { name: where },
  );
  try {
    const { scale, zero } = await start.run();
    const one = layout.whole;
    parts.step = holding(one ? array([scale.data[0]!], [1, 1]) : scale, true);
    if (zero) parts.zero = holding(one ? array([zero.data[0]!], [1, 1]) : zero, false);
  } finally {
    start.dispose();
  }
  return new FakeQuantizedParametrization(scheme, layout, parts);
}
