// Runs an operation, or a small graph around it, in the engine: results go into the middle of a larger buffer whose borders
// must stay as they were, and operands must come back unchanged.
import { expect } from "vitest";
import type { DeviceName } from "../../lib/device/index.js";
import { addon, call, type Isa, type NativeAttrs, type NativeProgram } from "../../lib/native/index.js";
import type { OpName } from "../../lib/native/operations.js";
import { sizeOf, type DType, type TypedArray } from "../../lib/tensor/dtype.js";
import type { Tensor } from "../../lib/tensor/index.js";
import { viewOf } from "../../lib/tensor/parameter.js";
import { Trace } from "../../lib/tensor/trace.js";
import { countOf, pack, unpack, type Value } from "./value.js";

export interface Setting {
  readonly isa: Isa;
  readonly threads: number;
  readonly optimize: boolean;
  /** Default the CPU. */
  readonly device?: DeviceName;
}

export const show = ({ isa, threads, optimize, device }: Setting): string =>
  `${device ?? `${isa}, ${threads} thread${threads > 1 ? "s" : ""}`}${optimize ? "" : ", no passes"}`;

/** `npm run test:device` tries the matrix on a device instead of the CPU. */
export const testedDevice = process.env.ATHANOR_TEST_DEVICE as DeviceName | undefined;

/** A device with and without passes. */
export const settingsOf = (device: DeviceName): readonly Setting[] =>
  [true, false].map((optimize) => ({ isa: addon.isas()[0]!, threads: 1, optimize, device }));

/** Every instruction set with and without passes, and on two threads; or the device that is tested. */
export const settings: readonly Setting[] = testedDevice
  ? settingsOf(testedDevice)
  : addon.isas().flatMap((isa) => [
      { isa, threads: 1, optimize: true },
      { isa, threads: 2, optimize: true },
      { isa, threads: 1, optimize: false },
    ]);

/** `npm run test:matrix` tries every view on every setting, and more samples in fused chains. */
export const exhaustive = process.env.ATHANOR_TEST_MATRIX === "full";

export const plain: Setting = settings[0]!;

const isaAtStart = addon.isa();
const threadsAtStart = addon.threads();

/** Runs `body` with the engine set so, and sets it back. */
export function withSetting<T>({ isa, threads }: Setting, body: () => T): T {
  if (addon.isa() !== isa) addon.setIsa(isa);
  if (addon.threads() !== threads) addon.setThreads(threads);
  try {
    return body();
  } finally {
    if (addon.isa() !== isaAtStart) addon.setIsa(isaAtStart);
    if (addon.threads() !== threadsAtStart) addon.setThreads(threadsAtStart);
  }
}

const guard = 13; // elements on both sides; odd, so that nothing is aligned by luck
const sentinel = 0xa5;

class Guarded {
  readonly data: TypedArray;
  private readonly bytes: Uint8Array;
  private readonly before: Uint8Array | undefined;
  private readonly edge: number;

  constructor(dtype: DType, count: number, values?: TypedArray) {
    const size = sizeOf[dtype];
    const buffer = new ArrayBuffer((count + 2 * guard) * size);
    this.bytes = new Uint8Array(buffer).fill(sentinel);
    this.data = viewOf(dtype, buffer).subarray(guard, guard + count);
    if (values) {
      this.data.set(values);
      this.before = this.bytes.slice();
    }
    this.edge = guard * size;
  }

  /** Throws where a border, or for an operand any byte, has changed. */
  check(what: string): void {
    if (this.before) {
      if (Buffer.compare(this.bytes, this.before) !== 0) throw new Error(`${what} was changed by the run`);
      return;
    }
    const low = this.bytes.subarray(0, this.edge).findIndex((byte) => byte !== sentinel);
    const high = this.bytes.subarray(this.bytes.length - this.edge).findIndex((byte) => byte !== sentinel);
    if (low >= 0) throw new Error(`${what}: ${this.edge - low} bytes before it were overwritten`);
    if (high >= 0) throw new Error(`${what}: a byte ${high} behind its end was overwritten`);
  }
}

export type Build = (trace: Trace, inputs: readonly Tensor[]) => readonly Tensor[];

/** Traces, compiles and runs; disposes of everything. `seed` and `step` key random numbers. */
export function evaluate(
  inputs: readonly Value[],
  build: Build,
  setting: Setting = plain,
  { seed = 0, step = 0 } = {},
): Value[] {
  return withSetting(setting, () => {
    const trace = new Trace();
    let program: NativeProgram | undefined;
    try {
      const tensors = inputs.map((input, i) => trace.input(`x${i}`, input.dtype, input.shape));
      const outputs = build(trace, tensors);
      const names = outputs.map((_, i) => `y${i}`);
      const ids = outputs.map((output) => output.id);
      call(() => trace.graph.setOutputs(names, ids));
      program = call(() => trace.graph.compile({ optimize: setting.optimize, device: setting.device }));
      const feeds = inputs.map((input) => new Guarded(input.dtype, countOf(input.shape), pack(input)));
      const results = outputs.map(({ dtype, shape }) => new Guarded(dtype, countOf(shape)));
      const held = program;
      call(() =>
        held.runSync(
          feeds.map((f) => f.data),
          results.map((r) => r.data),
          seed,
          step,
        ),
      );
      feeds.forEach((feed, i) => feed.check(`operand ${i}`));
      results.forEach((result, i) => result.check(`result ${i}`));
      return outputs.map(({ dtype, shape }, i) => unpack(dtype, shape, results[i]!.data));
    } finally {
      program?.dispose();
      trace.graph.dispose();
    }
  });
}

/** The operation alone, with its first `count` results. */
export const applying =
  (op: OpName, attrs: NativeAttrs | undefined, count = 1): Build =>
  (trace, inputs) =>
    trace.applyMany(op, inputs, count, attrs);

/** Fails with `where` unless the bits are the same. */
export function expectSameBits(where: string, a: readonly Value[], b: readonly Value[]): void {
  a.forEach((value, i) => {
    const other = b[i]!;
    const at = value.data.findIndex((x, k) => !Object.is(x, other.data[k]!));
    if (at >= 0) expect.fail(`${where}: result ${i} differs at ${at}: ${value.data[at]} and ${other.data[at]}`);
  });
}
