// Memory stays flat: over 10,000 steps of one program, over 1,000 programs compiled and disposed, and over 2,000 batch sizes of a service.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import {
  artifact,
  array,
  compile,
  grad,
  loss,
  nativeBytes,
  nn,
  optim,
  seed,
  train,
  type Tensor,
} from "../../lib/index.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Resident bytes once the garbage of the test itself is gone. */
async function resident(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await setImmediate();
  }
  return process.memoryUsage().rss;
}

const MiB = 2 ** 20;

describe("memory", () => {
  it("is flat over 10,000 training steps", { timeout: 120_000 }, async () => {
    seed(1);
    const net = nn.sequential(nn.linear(64, 64), nn.relu(), nn.linear(64, 10));
    const step = train.step(net, optim.adam({ lr: 1e-3 }), ({ x, y }) => loss.crossEntropy()(net.forward(x), y));
    const batch = { x: array(new Float32Array(32 * 64).fill(0.5), [32, 64]), y: array(new Uint8Array(32), [32]) };
    const run = async (steps: number) => {
      for (let i = 0; i < steps; i++) await step.run(batch);
    };
    await run(10_000); // until V8's heaps have their size
    const [native, before] = [nativeBytes(), await resident()];
    await run(10_000);
    expect(nativeBytes()).toBe(native);
    expect((await resident()) - before).toBeLessThan(12 * MiB);
    step.dispose();
    net.dispose();
  });

  it("is flat over 1,000 programs compiled and disposed", { timeout: 120_000 }, async () => {
    const inputs = Array.from({ length: 7 }, (_, i) =>
      array(new Float32Array((100 + i) * 300).fill(1), [100 + i, 300]),
    );
    const once = (i: number) => {
      const f = compile(grad((x: Tensor) => x.matmul(x, { transB: true }).relu().mean()));
      f.runSync(inputs[i % 7]!);
      f.dispose();
    };
    for (let i = 0; i < 1000; i++) once(i); // until V8's heaps have their size
    const [native, before] = [nativeBytes(), await resident()];
    for (let i = 0; i < 1000; i++) once(i);
    expect(nativeBytes()).toBe(native);
    expect((await resident()) - before).toBeLessThan(24 * MiB);
  });

  it.each([{}, { maxPrograms: 2 }, { padBatches: true, maxPrograms: 12 }])(
    "is flat over 2,000 batch sizes of a served model, %j",
    { timeout: 120_000 },
    async (options) => {
      const folder = await mkdtemp(join(tmpdir(), "athanor-leak-"));
      try {
        seed(1);
        using net = nn.sequential(nn.linear(16, 128), nn.relu(), nn.linear(128, 4));
        await artifact.save(net, join(folder, "model"), { input: { dtype: "f32", shape: [16] } });
        using served = await artifact.load(join(folder, "model"), options);
        const all = new Float32Array(2000 * 16).fill(0.5);
        const ask = async (n: number) => {
          const y = await served.predict(array(all.subarray(0, n * 16), [n, 16]));
          expect(y.shape).toEqual([n, 4]);
        };
        const round = async () => {
          for (let i = 1; i <= 2000; i++) await ask(((i * 37) % 2000) + 1); // every size once, in no order
        };
        await round(); // until V8's heaps have their size
        const native = nativeBytes();
        // What leaks grows in every round; V8 and the allocator take a step of their own now and then.
        const growths: number[] = [];
        for (let i = 0; i < 3; i++) {
          const before = await resident();
          await round();
          expect(nativeBytes()).toBe(native);
          growths.push((await resident()) - before);
        }
        expect(Math.min(...growths)).toBeLessThan(24 * MiB);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );

  it("comes back when a model is disposed", () => {
    const before = nativeBytes();
    const net = nn.linear(1000, 1000);
    expect(nativeBytes() - before).toBeGreaterThanOrEqual(4_004_000);
    net.dispose();
    expect(nativeBytes()).toBe(before);
  });
});
