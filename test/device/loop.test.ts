// The loop of many steps on the emulated device: one call a step, one wait in all, whatever a step computes.
import { describe, expect, it } from "vitest";
import { addon, type NativeLoop } from "../../lib/native/index.js";
import type { Tensor } from "../../lib/index.js";
import { Trace, within } from "../../lib/tensor/trace.js";
import { built, callsOf, emulated } from "./emulated.js";

const rows = 64;
const batch = 4;
const samples = () =>
  new addon.Dataset([
    {
      name: "x",
      dtype: "f32",
      shape: [rows, 3],
      data: Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i)),
    },
  ]);

/** A loop whose step gives the mean and the rows of a chain of so many products; "factor" is a number of the step. */
function loopOf(depth: number, device: string | undefined): NativeLoop {
  const trace = new Trace({ device: device as "cuda-emulated" | undefined });
  const x = trace.input("x", "f32", [batch, 3]);
  const factor = trace.input("factor", "f64", []);
  const [mean, y] = within(trace, (): [Tensor, Tensor] => {
    let value = x.mul(factor.cast("f32"));
    for (let i = 0; i < depth; i++) value = value.matmul(x, { transB: true }).matmul(x).tanh();
    return [value.mean(), value];
  });
  trace.setOutputs({ mean, y });
  return new addon.Loop(trace.compile(), samples(), { hyper: ["factor"], record: ["mean"], collect: ["y"] });
}

const request = (steps: number) => ({
  seed: 3,
  epoch: 1,
  shuffle: true,
  firstRow: 4,
  steps,
  firstStep: 0,
  hyper: Float64Array.from({ length: steps }, (_, i) => 1 + i / 10),
});

describe.skipIf(!built)("the loop on the emulated device", () => {
  it("gathers, computes, records and collects what the CPU's does", async () => {
    const [want, got] = [await loopOf(1, undefined).run(request(9)), await loopOf(1, emulated).run(request(9))];
    expect(got.steps).toBe(9);
    want.records.forEach((value, i) => expect(got.records[i]).toBeCloseTo(value, 5));
    const [here, there] = [want, got].map(({ collected }) => new Float32Array(collected[0]!));
    expect(there!.length).toBe(9 * batch * 3);
    here!.forEach((value, i) => expect(there![i]).toBeCloseTo(value, 5));
  });

  it("makes one call of the plugin a step and waits once, whatever the depth and the number of steps", async () => {
    for (const depth of [1, 6]) {
      const loop = loopOf(depth, emulated);
      await loop.run(request(12)); // uploads, makes room, and captures
      const few = await callsOf(() => loop.run(request(4)));
      const many = await callsOf(() => loop.run(request(12)));
      expect(many.calls - few.calls).toBe(8);
      expect(few.waits).toBe(1);
      expect(many.waits).toBe(1);
      expect(few.calls - 4).toBeLessThanOrEqual(6); // hyper-parameters, begin, records, rows, record of the run, wait
    }
  });

  it("stops where it is told to, between two steps", async () => {
    const loop = loopOf(1, emulated);
    const cancel = new addon.Cancel();
    cancel.cancel();
    expect(await loop.run(request(5), cancel)).toMatchObject({ steps: 0, cancelled: true });
    await expect(loop.run(request(100))).rejects.toThrow(/leave the data set/);
  });
});
