// Programs are kept for the signatures used last, and nothing works on after dispose().
import { describe, expect, it } from "vitest";
import {
  array,
  compile,
  DisposedError,
  loss,
  nativeBytes,
  nn,
  optim,
  train,
  zeros,
  type Tensor,
} from "../../../lib/index.js";
import { bind } from "../../../lib/optim/index.js";
import { ProgramCache } from "../../../lib/tensor/program-cache.js";

describe("a cache of programs", () => {
  it("frees the entry that was not used for the longest", () => {
    const freed: string[] = [];
    const cache = new ProgramCache<{ dispose(): void }>(3);
    for (const key of ["a", "b", "c"]) cache.set(key, { dispose: () => freed.push(key) });
    cache.get("a");
    for (const key of ["d", "e"]) cache.set(key, { dispose: () => freed.push(key) });
    expect(freed).toEqual(["b", "c"]);
    expect(cache.get("b")).toBeUndefined();
    cache.dispose();
    expect(freed).toEqual(["b", "c", "a", "d", "e"]);
  });

  it("keeps a compiled function's memory flat over 300 batch sizes, and its results right", async () => {
    const f = compile((x: Tensor) => x.matmul(x, { transB: true }).relu().sum(-1), { maxPrograms: 4 });
    const ask = async (n: number) => {
      const x = array(new Float32Array(n * 64).fill(1), [n, 64]);
      const off = f.run(x); // runs on while others make room
      expect(f.runSync(x).data[0]).toBe(64 * n);
      return off;
    };
    for (let n = 200; n < 210; n++) await ask(n);
    const held = nativeBytes();
    const answers = [];
    for (let n = 1; n <= 300; n++) answers.push(ask(n));
    for (const [i, y] of (await Promise.all(answers)).entries()) expect(y.data[i]).toBe(64 * (i + 1));
    for (let n = 200; n < 210; n++) await ask(n);
    expect(nativeBytes()).toBeLessThanOrEqual(held * 1.1);
    const first = array(new Float32Array(64).fill(1), [1, 64]);
    f.runSync(first);
    for (let n = 2; n < 8; n++) await f.run(array(new Float32Array(n * 64), [n, 64]));
    expect(f.runSync(first).data[0]).toBe(64); // it had to make room
    f.dispose();
  });

  it("keeps a step's memory flat, with one optimizer state for all sizes", async () => {
    const net = nn.linear(16, 1);
    const before = nativeBytes();
    using step = train.step(net, optim.adam(), ({ x, y }) => loss.mse()(net.forward(x), y), { maxPrograms: 3 });
    const take = (n: number) => step.run({ x: zeros([n, 16]), y: zeros([n, 1]) });
    for (let n = 290; n <= 300; n++) await take(n);
    const held = nativeBytes() - before;
    for (let n = 1; n <= 300; n++) await take(n);
    expect(nativeBytes() - before).toBeLessThanOrEqual(held * 1.1);
    expect([step.steps, step.bound!.steps]).toEqual([311, 311]);
  });

  it.each([0, -1, 1.5, NaN])("refuses a limit of %s", (maxPrograms) => {
    expect(() => compile((x: Tensor) => x, { maxPrograms })).toThrow(/maxPrograms must be a whole number from 1 on/);
    expect(() => train.step(nn.linear(1, 1), optim.sgd(), ({ x }) => x.mean(), { maxPrograms })).toThrow(/maxPrograms/);
  });
});

describe("after dispose", () => {
  const x = array([1, 2], [1, 2]);
  const y = array([1], [1, 1]);
  const disposed = <T extends { dispose(): void }>(thing: T): T => {
    thing.dispose();
    thing.dispose(); // twice is fine
    return thing;
  };
  const used = async () => {
    const net = nn.linear(2, 1);
    const step = train.step(net, optim.adam(), (batch) => loss.mse()(net.forward(batch.x), batch.y));
    await step.run({ x, y });
    return disposed(step);
  };
  const compiled = () => {
    const f = compile((t: Tensor) => t.relu());
    f.runSync(x);
    return disposed(f);
  };
  const bound = () => disposed(bind(optim.adam(), nn.linear(2, 1).assignNames().namedParameters()));

  it.each<[string, () => unknown]>([
    ["a step", async () => (await used()).run({ x, y })],
    ["a step over batches", async () => (await used()).over([{ x, y }]).next()],
    ["a step that was never taken", () => disposed(train.step(nn.linear(2, 1), optim.sgd(), (b) => b.x.mean())).run({ x, y })],
    ["a function, run", () => compiled().run(x)],
    ["a function, runSync", () => compiled().runSync(x)],
    ["a function, explain", () => compiled().explain(x)],
    ["a function, program", () => compiled().program(x)],
    ["a program", () => disposed(compile((t: Tensor) => t.relu()).program(x)).runSync({ 0: x })],
    ["an optimizer's steps", () => bound().steps],
    ["an optimizer's states", () => bound().stateDict()],
    ["a step with a disposed optimizer", () => train.step(nn.linear(2, 1), bound(), (b) => b.x.mean()).run({ x, y })],
    ["a model, trained", () => train.fit(disposed(nn.linear(2, 1)), { x, y }, { loss: loss.mse(), optimizer: optim.sgd() })],
    ["a model, evaluated", () => train.evaluate(disposed(nn.linear(2, 1)), { x, y }, { loss: loss.mse() })],
    ["a model, asked", () => train.predict(disposed(nn.linear(2, 1)), x)],
  ])("%s says so", async (_, use) => {
    await expect(Promise.resolve().then(use)).rejects.toBeInstanceOf(DisposedError);
  }); // prettier-ignore
});
