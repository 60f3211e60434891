// Calibration: the model runs over samples with a hook on every weight that is to be quantized; what the layers' inputs look like is
// reduced in the engine, batch by batch, and only the few numbers that are left come out.
import { ArgumentError, NonFiniteError } from "../errors.js";
import type { Samples } from "../data/index.js";
import { rowsOf } from "../data/rows.js";
import type { Module } from "../nn/index.js";
import { feed } from "../nn/input.js";
import { NdArray } from "../tensor/nd-array.js";
import { compile } from "../tensor/compile.js";
import type { Conv2dGeometry, Parametrization } from "../tensor/parametrization.js";
import type { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { got } from "../names/got.js";

/** One use of a weight in a forward pass. */
export interface Use {
  readonly x: Tensor;
  /** Undefined for x · wᵀ. */
  readonly geometry?: Conv2dGeometry;
  /** Whether the weight was taken as [N, K] with the inputs last; a product x · w has its inputs first. */
  readonly rowsFirst: boolean;
}

/** A parametrization that leaves everything as it is and remembers what the weight met. */
class Hook implements Parametrization {
  readonly kind = "hook";
  readonly packed = false;
  readonly parts = {};
  readonly uses: Use[] = [];

  tensor(_: unknown, master: Tensor | undefined): Tensor {
    return master!;
  }

  matmul(x: Tensor, _: Tensor | undefined, transB: boolean): undefined {
    this.uses.push({ x, rowsFirst: transB });
  }

  conv2d(x: Tensor, _: Tensor | undefined, geometry: Conv2dGeometry): undefined {
    this.uses.push({ x, geometry, rowsFirst: true });
  }

  clone(): Hook {
    return new Hook();
  }

  dispose(): void {
    // Nothing is held.
  }
}

/** What calibration runs on. */
export interface CalibrationSource {
  readonly where: string;
  readonly model: Module;
  readonly samples: Samples | NdArray;
  readonly batchSize: number;
  /** What the caller calls row i, where these are some of its samples. */
  readonly sampleOf?: ((row: number) => number) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Samples to run; their targets, if any, are not looked at. @throws ArgumentError */
export function inputsOf(where: string, samples: unknown): NdArray {
  const x = samples instanceof NdArray ? samples : (samples as Partial<Samples> | null | undefined)?.x;
  if (x instanceof NdArray && x.shape.length > 0 && x.shape[0]! > 0) return x;
  throw new ArgumentError(
    `${where}: calibrate takes samples, a data set { x, y } or an array x [n, …] with a row or more, got ${samples === undefined ? "none" : got(samples)}`,
  );
}

/** Measurements of a target, by its number. */
export type Measured<Value> = Record<string, Record<string, Value>>;

/**
 * Runs the model over all samples; for every batch `measure` sees the uses of each parameter in the trace, and `take` the host
 * values of what it returned.
 *
 * @throws NonFiniteError if a layer meets NaN or infinity, which finite samples and weights may come to; AbortedError.
 */
export async function overUses(
  { where, model, samples, batchSize, sampleOf = (row) => row, signal }: CalibrationSource,
  parameters: readonly Parameter[],
  measure: (uses: ReadonlyMap<Parameter, readonly Use[]>) => Measured<Tensor>,
  take: (values: Measured<NdArray>, rows: number) => void,
): Promise<void> {
  const x = inputsOf(where, samples);
  const hooks = new Map(parameters.map((parameter) => [parameter, new Hook()] as const));
  const parametrizations = new Map(
    [...hooks].map(([parameter, hook]) => [parameter, parameter.exchangeParametrization(hook)] as const),
  );
  const run = compile(
    (batch: Tensor) => {
      for (const hook of hooks.values()) hook.uses.length = 0;
      feed(model, batch);
      const finite = [...hooks.values()].map(({ uses }) => uses.map((use) => finiteRows(use.x)));
      return { measured: measure(new Map([...hooks].map(([parameter, hook]) => [parameter, hook.uses]))), finite };
    },
    { name: where },
  );
  try {
    for (let row = 0; row < x.shape[0]!; row += batchSize) {
      const batch = rowsOf(x, row, Math.min(x.shape[0]!, row + batchSize));
      const { measured, finite } = await run.run(batch, { signal });
      finite.forEach((uses, i) => {
        for (const rows of uses)
          requireFiniteRows(where, parameters[i]!, rows, (at) => sampleOf(row + at), batch.shape[0]!);
      });
      take(measured, batch.shape[0]!);
    }
  } finally {
    run.dispose();
    for (const [parameter, parametrization] of parametrizations) parameter.exchangeParametrization(parametrization);
  }
}

/** For every row of x [rows, …] 1 where all of it is finite, else 0. */
const finiteRows = (x: Tensor): Tensor => x.isFinite().cast("f32").reshape([x.shape[0]!, -1]).min(1);

function requireFiniteRows(
  where: string,
  { name }: Parameter,
  { data }: NdArray,
  sampleOf: (row: number) => number,
  rows: number,
): void {
  const strange = data.findIndex((finite) => finite !== 1);
  if (strange < 0) return;
  const isRow = data.length === rows;
  const sample = isRow ? `sample ${sampleOf(strange)}` : `one of the samples ${sampleOf(0)} to ${sampleOf(rows - 1)}`;
  throw new NonFiniteError(
    `${where}: the input of the layer of "${name}" is NaN or infinite for ${sample} of calibrate, though the samples and weights are finite; leave the sample out, or look at what comes before that layer`,
  );
}

/** A convolution's weight [O, C / groups, KH, KW]. */
type Kernel = readonly [number, number, number, number];

/**
 * The inputs that one row of the weight meets, f32 [rows, K], one for each group of channels: of a convolution every window, taken
 * out by a depthwise convolution with kernels that are 1 at one place.
 */
export function rowsMet({ x, geometry }: Use, shape: readonly number[]): Tensor[] {
  const K = shape.slice(1).reduce((a, b) => a * b, 1);
  if (!geometry) return [x.reshape([-1, K])];
  const [, perGroup, KH, KW] = shape as unknown as Kernel;
  const channels = x.shape[1]!;
  const taps = KH * KW;
  const kernels = new Float32Array(channels * taps * taps);
  for (let c = 0; c < channels; ++c) for (let t = 0; t < taps; ++t) kernels[(c * taps + t) * taps + t] = 1;
  const eye = x.trace.constant(new NdArray(kernels, [channels * taps, 1, KH, KW]));
  const windows = x.trace.apply("conv2d", [x, eye], { ...geometry, groups: channels }); // [N, C KH KW, OH, OW]
  const flat = windows.transpose([0, 2, 3, 1]).reshape([-1, channels * taps]);
  const groups = channels / perGroup;
  if (groups === 1) return [flat];
  return Array.from({ length: groups }, (_, g) => flat.slice(null, [g * K, (g + 1) * K]));
}
