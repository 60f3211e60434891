// Compiled functions on the emulated device: the CPU's results, sentences and effects, in a handful of calls.
import { describe, expect, it } from "vitest";
import {
  array,
  compile,
  device,
  DTypeError,
  NdArray,
  Parameter,
  UnsupportedOpError,
  UnsupportedError,
  ops,
  type Tensor,
} from "../../lib/index.js";
import { addon } from "../../lib/native/index.js";
import { Trace, within } from "../../lib/tensor/trace.js";
import { Program } from "../../lib/tensor/program.js";
import { built, callsOf, emulated, withEnvironment } from "./emulated.js";

const wave = (shape: readonly number[], phase = 0) => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return array(
    Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + phase)),
    shape,
  );
};

function close(got: NdArray, want: NdArray): void {
  expect(got.shape).toEqual(want.shape);
  want.data.forEach((value, i) => expect(got.data[i], `element ${i}`).toBeCloseTo(value, 5));
}

describe.skipIf(!built)("a function on the emulated device", () => {
  it("gives what the CPU gives: chains, products with what is fused into them, sums, several results", () => {
    const f = (a: Tensor, b: Tensor) => {
      const product = a
        .matmul(b)
        .add(a.sum([1], { keep: true }))
        .relu();
      return {
        product,
        total: product.sum(),
        mean: a.mean([0]),
        same: a,
        twice: a,
        chain: a.mul(a).add(1).log().neg(),
      };
    };
    const [a, b] = [wave([37, 19]), wave([19, 65], 1)];
    const want = compile(f).runSync(a, b);
    const got = compile(f, { device: emulated }).runSync(a, b);
    for (const name of Object.keys(want) as (keyof typeof want)[]) close(got[name], want[name]);
  });

  it("runs off the event loop as well, with the same bits, captured or not", async () => {
    const f = compile((a: Tensor) => a.matmul(a).tanh().sum([0]), { device: emulated });
    const x = wave([23, 23]);
    const first = f.runSync(x);
    expect((await f.run(x)).data).toEqual(first.data);
    const uncaptured = await withEnvironment("ATHANOR_CUDA_GRAPHS", "0", () => f.run(x));
    expect(uncaptured.data).toEqual(first.data);
    f.dispose();
  });

  it("reads empty arrays, scalars, and constants of many elements", () => {
    const f = compile(
      (a: Tensor) => ({ sum: a.sum(), more: a.sum().add(1), wide: a.sum().add(array([1, 2, 3], [3])) }),
      {
        device: emulated,
      },
    );
    const { sum, more, wide } = f.runSync(array([], [0, 4]));
    expect(sum.item()).toBe(0);
    expect(more.item()).toBe(1);
    expect(wide.data).toEqual(Float32Array.of(1, 2, 3));
  });

  it("takes a number of calls that does not depend on the number of operations, and one wait", async () => {
    const deep = (depth: number) => (a: Tensor) => {
      let x = a;
      for (let i = 0; i < depth; i++) x = x.matmul(a).tanh();
      return x.sum([0]);
    };
    const x = wave([8, 8]);
    const [shallow, long] = [compile(deep(1), { device: emulated }), compile(deep(9), { device: emulated })];
    for (const f of [shallow, long]) f.runSync(x); // compiles, uploads and captures
    const few = await callsOf(() => shallow.runSync(x));
    const many = await callsOf(() => long.runSync(x));
    expect(many.calls).toBe(few.calls);
    expect(many.waits).toBe(1);
    expect(few.calls).toBeLessThanOrEqual(5); // upload, begin, replay, download, wait
  });

  it("draws dropout's mask with the CPU's bits, another for every seed and step", async () => {
    const f = (a: Tensor) => ops.dropout(a, 0.5);
    const x = array(new Float32Array(4096).fill(1), [64, 64]);
    const options = { training: true };
    const [cpu, other] = [compile(f, options), compile(f, { ...options, device: emulated })];
    const masks = [];
    for (const step of [0, 1]) {
      const want = await cpu.run(x, { seed: 5, step });
      const got = await other.run(x, { seed: 5, step });
      expect(got.data).toEqual(want.data);
      masks.push(String(got.data));
    }
    expect(masks[0]).not.toBe(masks[1]);
  });
});

describe.skipIf(!built)("variables and the emulated device", () => {
  it("are the same on either side, whoever wrote last", () => {
    const weight = new Parameter([4], { fill: { kind: "constant", a: 1, b: 0 } });
    const f = (a: Tensor) => weight.tensor().mul(a);
    const [cpu, other] = [compile(f), compile(f, { device: emulated })];
    const two = array([2, 2, 2, 2], [4]);
    expect(other.runSync(two).data).toEqual(Float32Array.of(2, 2, 2, 2));
    weight.write(array([1, 2, 3, 4], [4]));
    expect(other.runSync(two).data).toEqual(Float32Array.of(2, 4, 6, 8));
    const trace = new Trace({ device: emulated });
    within(trace, () => trace.update(weight, weight.tensor().add(10)));
    trace.commit();
    trace.setOutputs({});
    const update = new Program(trace.compile(), "update");
    update.runSync({});
    expect(weight.readSync().data).toEqual(Float32Array.of(11, 12, 13, 14));
    expect(cpu.runSync(two).data).toEqual(Float32Array.of(22, 24, 26, 28));
    expect(other.runSync(two).data).toEqual(Float32Array.of(22, 24, 26, 28));
    const copy = weight.clone();
    expect(copy.readSync().data).toEqual(Float32Array.of(11, 12, 13, 14));
    update.dispose();
    weight.dispose();
  });

  it("free the device's memory with their programs", () => {
    const allocated = () => device.emulated().memory.allocated;
    const before = allocated();
    const weight = new Parameter([1000, 100]);
    const f = compile((a: Tensor) => a.matmul(weight.tensor()), { device: emulated });
    f.runSync(wave([3, 1000]));
    expect(allocated()).toBeGreaterThanOrEqual(before + 400_000);
    f.dispose();
    weight.dispose();
    expect(allocated()).toBe(before);
  });
});

describe.skipIf(!built)("what goes wrong on the emulated device", () => {
  const bad = {
    label: {
      f: (x: Tensor, y: Tensor) => ops.crossEntropy(x, y),
      args: () => [wave([3, 4]), array(Int32Array.of(1, 7, -2), [3])] as const,
    },
    index: {
      f: (x: Tensor, y: Tensor) => ops.embedding(x, y),
      args: () => [wave([3, 4]), array(Int32Array.of(1, 3, 2), [3])] as const,
    },
  };

  for (const [name, { f, args }] of Object.entries(bad)) {
    it(`says the CPU's sentence of a bad ${name}`, async (context) => {
      const message = (where: { device?: "cuda-emulated" }) => {
        try {
          compile(f, where).runSync(...args());
        } catch (thrown) {
          if (thrown instanceof UnsupportedOpError) context.skip();
          return (thrown as Error).message;
        }
        return expect.fail("nothing was thrown");
      };
      expect(message({ device: emulated })).toBe(message({}));
      await Promise.resolve();
    });
  }

  it("changes no variable, and the next run is as if it had not been", () => {
    const seen = new Parameter([2], { fill: { kind: "constant", a: 1, b: 0 } });
    const trace = new Trace({ device: emulated });
    const x = trace.input("x", "f32", [2, 3]);
    const y = trace.input("y", "i32", [2]);
    const loss = within(trace, () => {
      const each = ops.crossEntropy(x, y, { reduction: "none" });
      trace.update(seen, seen.tensor().add(each));
      return each;
    });
    trace.commit();
    trace.setOutputs({ loss });
    const program = new Program(trace.compile(), "step");
    const feed = (labels: Int32Array) => ({ x: wave([2, 3]), y: array(labels, [2]) });
    expect(() => program.runSync(feed(Int32Array.of(0, 3)))).toThrow(/label 3 of row 1 is no class, expected 0 to 2/);
    expect(seen.readSync().data).toEqual(Float32Array.of(1, 1));
    const { loss: fine } = program.runSync(feed(Int32Array.of(0, 2)));
    expect(seen.readSync().data).toEqual(fine!.data.map((value) => Math.fround(value + 1)));
    program.dispose();
  });

  it("refuses what it has no kernel for when it is compiled, naming operation, type and device", () => {
    const trace = new Trace({ device: emulated });
    const x = trace.input("x", "f32", [8, 1]);
    const centres = trace.input("c", "f32", [2]);
    const kmeans = () => {
      trace.setOutputs({ y: trace.apply("nearest_entry", [x.reshape([8]), centres]) });
      trace.compile();
    };
    try {
      kmeans();
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(UnsupportedOpError);
      expect(thrown).toBeInstanceOf(UnsupportedError);
      expect(thrown).toMatchObject({ op: "nearest_entry", dtype: "f32", device: emulated });
      expect((thrown as Error).message).toMatch(
        /^nearest_entry of f32: device cuda-emulated cannot run it: .*; compile this function for device "cpu"/,
      );
      return;
    }
    expect.fail("it was not refused");
  });

  it("refuses at the user's line what no device takes", () => {
    const f = compile((a: Tensor) => a.matmul(a), { device: emulated });
    expect(() => f.runSync(array(Int32Array.of(1), [1, 1]))).toThrow(DTypeError);
  });

  it("says the sizes where the device's memory does not suffice", () => {
    const { total } = device.emulated().memory;
    const side = Math.ceil(Math.sqrt(total / 4)) + 64;
    const f = compile(
      (a: Tensor) =>
        a
          .matmul(a.reshape([1, side]))
          .exp()
          .sum(),
      { device: emulated },
    );
    expect(() => f.runSync(array(new Float32Array(side), [side, 1]))).toThrow(
      /^out of memory on device cuda-emulated: \d+ MiB asked for, \d+ MiB of \d+ MiB free, \d+ MiB held by this process/,
    );
    expect(addon.devices().length).toBeGreaterThan(0);
  });
});
