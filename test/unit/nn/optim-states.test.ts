// Optimizers whose states are in bf16, 8 or 4 bits: what they take, what a state dict gives and takes, and what goes with them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ArgumentError, UnsupportedError } from "../../../lib/errors.js";
import { array, data, loss, nn, optim, prune, seed, train, type FitOptions, type Tensor } from "../../../lib/index.js";
import { rules, type RuleName } from "../../../lib/native/rules.js";

const codecs = ["f32", "bf16", "8bit", "4bit"] as const;
const elementwise = {
  sgd: (o: object) => optim.sgd({ momentum: 0.9, ...o }),
  adam: (o: object) => optim.adam({ amsgrad: true, ...o }),
  adamw: optim.adamW,
  rmsprop: (o: object) => optim.rmsProp({ momentum: 0.9, centered: true, eps: 1e-3, ...o }),
  adagrad: optim.adagrad,
  nadam: optim.nadam,
  radam: optim.radam,
  adamax: optim.adamax,
  adadelta: optim.adadelta,
  asgd: optim.asgd,
  rprop: optim.rprop,
  lion: optim.lion,
  ademamix: optim.ademamix,
} as Record<RuleName, (options: object) => optim.Optimizer>;

// A hundred and twenty outputs of eighty inputs: 9,600 weights, above what keeps f32; the bias below.
function model() {
  seed(4);
  return nn.sequential(nn.linear(80, 120), nn.relu(), nn.linear(120, 10)).assignNames();
}

const draw = (i: number) => Math.sin(i * 12.9898) * 0.7;
const x = array(
  Float32Array.from({ length: 32 * 80 }, (_, i) => draw(i)),
  [32, 80],
);

async function steps(net: nn.Module, bound: optim.BoundOptimizer, count: number) {
  using step = train.step(net, bound, (batch: train.BatchTensors): Tensor => net.forward(batch.x!).square().mean());
  let last = NaN;
  for (let i = 0; i < count; i++) last = (await step.run({ x })).loss;
  return last;
}

const bits = (states: optim.OptimizerStates) =>
  Object.entries(states.states).map(([name, { data }]) => [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex")]); // prettier-ignore

describe("states in few bits", () => {
  it("take the bytes that they are said to take", () => {
    const bytes = codecs.map((states) => {
      const net = nn.linear(256, 64).assignNames();
      using bound = optim.bind(optim.adamW({ states }), net.namedParameters());
      return bound.native.bytes.states;
    });
    const bias = 64 * 2; // below 4,096 elements f32, but for bf16
    expect(bytes).toEqual([
      4 * (2 * 64 * 256 + bias),
      2 * (2 * 64 * 256 + bias),
      2 * 64 * 260 + 4 * bias,
      2 * 128 * 68 + 4 * bias,
    ]);
  });

  it.each(Object.keys(elementwise) as RuleName[])(
    "of %s come back from a state dict with the same bits",
    async (rule) => {
      for (const states of codecs) {
        const net = model();
        using bound = optim.bind(elementwise[rule]({ states }), net.namedParameters());
        await steps(net, bound, 3);
        const saved = bound.stateDict();
        const twin = net.clone().assignNames();
        using other = optim.bind(elementwise[rule]({ states }), twin.namedParameters());
        other.loadStateDict(saved);
        expect(bits(other.stateDict())).toEqual(bits(saved));
        await steps(net, bound, 2);
        await steps(twin, other, 2);
        expect(bits(other.stateDict())).toEqual(bits(bound.stateDict()));
        expect(twin.namedParameters().map(({ parameter }) => [...parameter.readSync().data])).toEqual(
          net.namedParameters().map(({ parameter }) => [...parameter.readSync().data]),
        );
      }
    },
  );

  it("are every rule that works element by element", () => {
    const all = (Object.keys(rules) as RuleName[]).filter((rule) => rules[rule].shardable === "elementwise");
    const passes = ["schedule_free_sgd", "schedule_free_adamw"];
    expect(all.filter((rule) => !passes.includes(rule)).sort()).toEqual(Object.keys(elementwise).sort());
  });

  it("go from any codec to any other through a state dict, within the steps of the coarser", async () => {
    const net = model();
    using source = optim.bind(optim.adamW({ states: "f32" }), net.namedParameters());
    await steps(net, source, 5);
    const exact = source.stateDict();
    const share = { f32: 0, bf16: 2 ** -8, "8bit": 0.0071, "4bit": 0.113 };
    for (const states of codecs) {
      using bound = optim.bind(optim.adamW({ states }), net.namedParameters());
      bound.loadStateDict(exact);
      for (const [name, { data }] of Object.entries(bound.stateDict().states)) {
        const wanted = exact.states[name]!.data;
        const most = Math.max(...Array.from(wanted, Math.abs));
        data.forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(share[states] * most));
      }
    }
  });

  it("follow the groups", () => {
    const net = model();
    using bound = optim.bind(
      optim.adamW({ states: "8bit", groups: [{ match: "2", states: "f32" }] }),
      net.namedParameters(),
    );
    const types = Object.fromEntries(bound.native.states.map(({ name, type }) => [name, type]));
    expect(types["0.weight.exp_avg"]).toMatchObject({ dtype: "u8", shape: [38, 260] });
    expect(types["2.weight.exp_avg"]).toMatchObject({ dtype: "f32" });
    expect(types["0.bias.exp_avg"]).toMatchObject({ dtype: "f32", shape: [120] });
  });

  it("are cut with the parameters that structured pruning cuts", async () => {
    for (const states of codecs) {
      const net = model();
      using bound = optim.bind(optim.adamW({ states }), net.namedParameters());
      await steps(net, bound, 2);
      const plan = prune.plan(net, { structured: "neurons", amount: 0.25, input: { dtype: "f32", shape: [80] } });
      const small = plan.apply().assignNames();
      using next = optim.bind(optim.adamW({ states }), small.namedParameters());
      const cut = prune.sliceStates(plan, bound.stateDict());
      next.loadStateDict(cut);
      expect(next.stateDict().states["0.weight.exp_avg"]!.shape).toEqual([90, 80]);
      await steps(small, next, 2);
      for (const { parameter } of small.namedParameters()) {
        expect(parameter.readSync().data.every((value) => Number.isFinite(value))).toBe(true);
      }
    }
  });

  it("let a network train as f32 does", async () => {
    const ends = [];
    for (const states of codecs) {
      const net = model();
      using bound = optim.bind(optim.adamW({ states, lr: 1e-3 }), net.namedParameters());
      ends.push(await steps(net, bound, 60));
    }
    for (const end of ends) expect(end).toBeLessThan(ends[0]! * 1.3 + 1e-4);
  });

  it("are refused with a way out where they do not go", () => {
    expect(() => optim.lamb({ states: "8bit" })).toThrow(UnsupportedError);
    expect(() => optim.lamb({ states: "8bit" })).toThrow(/optim\.lamb: its states are f32.*adamW/);
    expect(() => optim.adamW({ states: "8-bit" as never })).toThrow(ArgumentError);
    expect(() => optim.adamW({ states: "8-bit" as never })).toThrow(/"f32", "bf16", "8bit" or "4bit", got "8-bit"/);
    expect(() => optim.adamW({ groups: [{ match: /a/, states: 8 as never }] })).toThrow(/groups\[0\]: states/);
    const net = model();
    using bound = optim.bind(optim.adamW({ states: "8bit" }), net.namedParameters());
    const saved = bound.stateDict();
    (saved.states["0.weight.exp_avg"]!.data as Float32Array)[7] = NaN;
    expect(() => bound.loadStateDict(saved)).toThrow(/"0\.weight\.exp_avg" has values that are not finite/);
  });
});

describe("a run with states in few bits", () => {
  const set = data.fromArrays({ x, y: array(Uint8Array.from({ length: 32 }, (_, i) => i % 10)) });
  const options = (states: optim.StateCodec, epochs: number): FitOptions => ({
    loss: loss.crossEntropy(),
    optimizer: optim.adamW({ states }),
    batchSize: 16,
    epochs,
    seed: 1,
  });
  const weights = (net: nn.Module) =>
    net.namedParameters().map(({ parameter }) => Buffer.from((parameter.readSync().data as Float32Array).slice().buffer).toString("hex")); // prettier-ignore

  async function within(use: (dir: string) => Promise<void>) {
    const dir = mkdtempSync(join(tmpdir(), "optim-states-"));
    try {
      await use(dir);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  it.each(codecs)("goes on from a checkpoint to the bits of one that was left alone: %s", async (states) => {
    await within(async (dir) => {
      const whole = model();
      await train.fit(whole, set, { ...options(states, 6), checkpoint: { dir, every: 5, keep: 100 } });
      const again = model();
      const { resumed } = await train.fit(again, set, { ...options(states, 6), resume: join(dir, "step-000000005") });
      expect(resumed).toBe(5);
      expect(weights(again)).toEqual(weights(whole));
    });
  });

  it("goes on with another codec where it is allowed to, its states being what they were", async () => {
    await within(async (dir) => {
      await train.fit(model(), set, { ...options("8bit", 3), checkpoint: { dir, every: 3, keep: 100 } });
      const resume = join(dir, "step-000000006");
      const other = (states: optim.StateCodec) => ({ ...options(states, 4), resume });
      await expect(train.fit(model(), set, { ...other("f32"), allow: ["length"] })).rejects.toThrow(
        /optimizer: states was/,
      );
      const ends = [];
      for (const states of codecs) {
        const net = model();
        const { resumed } = await train.fit(net, set, { ...other(states), allow: ["length", "optimizer"] });
        expect(resumed).toBe(6);
        ends.push(net.namedParameters().flatMap(({ parameter }) => [...(parameter.readSync().data as Float32Array)]));
      }
      // One step's states apart: from the same weights and moments, so within two steps of the rate, far below it but for a few.
      const mean = (a: number[], b: number[]) =>
        a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
      expect(mean(ends[0]!, ends[1]!)).toBeLessThan(2e-5);
      expect(mean(ends[0]!, ends[2]!)).toBeLessThan(1e-4);
      expect(mean(ends[0]!, ends[3]!)).toBeLessThan(1e-3);
    });
  });
});
