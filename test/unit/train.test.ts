// The parts that a training run is made of: when to stop, how a run is read, what is evaluated, how long a native call is.
import { describe, expect, it, vi } from "vitest";
import {
  array,
  compile,
  data,
  loss,
  metrics,
  nn,
  ops,
  optim,
  Parameter,
  seed,
  train,
  type Tensor,
} from "../../lib/index.js";
import { EarlyStopping, type EarlyStoppingOptions } from "../../lib/train/early-stopping.js";
import { Pace } from "../../lib/train/pace.js";
import { Run } from "../../lib/train/run.js";
import { Snapshot } from "../../lib/train/snapshot.js";

const monitors = new Map([
  ["loss", "lower"],
  ["val.loss", "lower"],
  ["val.accuracy", "higher"],
] as const);

/** At which check (from 0) a series of values stops; -1 for never. */
function stopsAt(values: readonly number[], options: Partial<EarlyStoppingOptions>): number {
  const stopping = new EarlyStopping("test", { monitor: "val.loss", ...options }, monitors);
  return values.findIndex((value) => stopping.observe(value).stop);
}

describe("early stopping", () => {
  it.each<[string, readonly number[], Partial<EarlyStoppingOptions>, number]>([
    ["waits as long as patience says", [3, 2, 2, 2, 2], { patience: 3 }, 4],
    ["begins to wait anew at an improvement", [3, 4, 2, 4, 4, 1], { patience: 2 }, 4],
    ["does not count less than minDelta", [3, 2.95, 2.9, 2.8], { patience: 2, minDelta: 0.5 }, 2],
    ["follows the metric's own direction", [0.5, 0.6, 0.7, 0.6, 0.5], { monitor: "val.accuracy", patience: 2 }, 4],
    ["or the one it is told", [0.5, 0.4, 0.3, 0.4, 0.5], { monitor: "val.accuracy", mode: "min", patience: 2 }, 4],
    ["rests after an improvement", [3, 4, 4, 4, 4], { patience: 2, cooldown: 2 }, 4],
    ["does not count the first checks", [1, 2, 2, 2, 2, 2], { patience: 2, startFrom: 3 }, 4],
    ["stops below the baseline, improving or not", [5, 4, 3], { patience: 3, baseline: 2 }, 2],
    ["goes on once the baseline is beaten", [5, 1, 1, 1], { patience: 3, baseline: 2 }, -1],
    ["never takes NaN for an improvement", [NaN, NaN, NaN], { patience: 2 }, 1],
    ["recovers from a first NaN", [NaN, 3, 2, 1], { patience: 2 }, -1],
  ])("%s", (_, values, options, expected) => {
    expect(stopsAt(values, options)).toBe(expected);
  });

  it.each<[object, string]>([
    [{ monitor: "val.acuracy" }, 'there is no figure "val.acuracy" to monitor, did you mean "val.accuracy"?'],
    [{ monitor: "loss", patiense: 3 }, 'unknown option "patiense", did you mean "patience"?'],
    [{ monitor: "loss", patience: 0 }, "patience must be a whole number from 1 on, got 0"],
    [{ monitor: "loss", minDelta: -1 }, "minDelta must not be below 0, got -1"],
    [{ monitor: "loss", mode: "maximum" }, 'mode must be "min" or "max", got "maximum"'],
  ])("refuses %j", (options, message) => {
    expect(() => new EarlyStopping("test", options as EarlyStoppingOptions, monitors)).toThrow(message);
  });

  it("says what a figure of a validation needs", () => {
    const known = new Map([["loss", "lower"]] as const);
    expect(() => new EarlyStopping("test", { monitor: "val.loss" }, known)).toThrow(/it takes validate: \{ on: … \}/);
  });
});

describe("a run", () => {
  const counting = (until: number, taken: number[] = []) => {
    let left = false;
    const run = new Run<number, string>(
      async (context) => {
        for (let i = 0; i < until && !left; i += 2) {
          taken.push(i);
          await context.emit([i, i + 1]);
        }
        return left ? "left" : "done";
      },
      { onLeave: () => (left = true) },
    );
    return run;
  };

  it("does nothing until it is asked", async () => {
    const taken: number[] = [];
    const run = counting(4, taken);
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toEqual([]);
    expect(await run.result).toBe("done");
    expect(taken).toEqual([0, 2]);
  });

  it("gives every event to its reader, and then the result", async () => {
    const run = counting(6);
    const seen = [];
    for await (const event of run) seen.push(event);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await run.result).toBe("done");
  });

  it("waits for its reader", async () => {
    const taken: number[] = [];
    const reader = counting(6, taken)[Symbol.asyncIterator]();
    await reader.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(taken).toEqual([0]);
    await reader.next();
    await reader.next();
    expect(taken).toEqual([0, 2]);
  });

  it("is not held up by an iterator that nobody reads", async () => {
    const run = counting(6);
    run[Symbol.asyncIterator]();
    expect(await run.result).toBe("done");
  });

  it("ends when the loop is left, before the code after the loop runs", async () => {
    const taken: number[] = [];
    const run = counting(1000, taken);
    for await (const event of run) if (event === 3) break;
    expect(taken).toEqual([0, 2]);
    expect(await run.result).toBe("left");
  });

  it("serves two readers", async () => {
    const run = counting(6);
    const read = async () => {
      const seen: number[] = [];
      for await (const event of run) seen.push(event);
      return seen;
    };
    expect(await Promise.all([read(), read()])).toEqual([
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 5],
    ]);
  });

  it("throws its failure to the reader once, after the events before it", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const run = new Run<number, void>(
      async (context) => {
        await context.emit([1, 2]);
        throw new Error("broken");
      },
      { onLeave: () => {} },
    );
    const reader = run[Symbol.asyncIterator]();
    expect([await reader.next(), await reader.next()].map(({ value }) => value)).toEqual([1, 2]);
    await expect(reader.next()).rejects.toThrow("broken");
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(unhandled).not.toHaveBeenCalled();
    await expect(run.result).rejects.toThrow("broken");
    process.off("unhandledRejection", unhandled);
  });
});

describe("pace", () => {
  it("grows towards its share of time and never asks for more than is left", () => {
    const pace = new Pace(0.1, 512);
    expect(pace.next(1000)).toBe(1);
    pace.note(1, 0.001);
    expect(pace.next(1000)).toBe(8); // 100 would fit, but one step is little to judge by
    pace.note(8, 0.008);
    expect(pace.next(1000)).toBe(64);
    pace.note(64, 0.064);
    expect(pace.next(1000)).toBe(100);
    expect(pace.next(7)).toBe(7);
    pace.note(100, 100);
    expect(pace.next(1000)).toBe(1);
  });
});

describe("a snapshot", () => {
  it("brings back what was saved, of every element type", async () => {
    const parameters = [
      new Parameter([3], { fill: nn.init.ones() }),
      new Parameter([2], { dtype: "i32" }),
      new Parameter([0]),
    ];
    const saved = parameters.map((parameter) => parameter.readSync());
    const snapshot = new Snapshot(parameters);
    expect(snapshot.taken).toBe(false);
    await snapshot.save();
    parameters[0]!.write(array([4, 5, 6]));
    parameters[1]!.write(array(Int32Array.of(7, 8)));
    await snapshot.restore();
    snapshot.dispose();
    expect(parameters.map((parameter) => parameter.readSync())).toEqual(saved);
  });
});

describe("evaluate and predict", () => {
  const rows = 1000;
  const x = array(
    Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i)),
    [rows, 3],
  );
  const y = array(Uint8Array.from({ length: rows }, (_, i) => i % 2));
  const set = data.fromArrays({ x, y });
  const model = () => {
    seed(5);
    return nn.sequential(nn.linear(3, 8), nn.tanh(), nn.dropout(0.5), nn.linear(8, 2));
  };

  it("predicts row by row what the model says of all at once, whatever the batch", async () => {
    const net = model();
    const whole = await compile((x) => net.forward(x as never)).run(x);
    for (const batchSize of [1000, 256, 7]) {
      const scores = await train.predict(net, x, { batchSize });
      expect(scores.shape).toEqual([rows, 2]);
      const off = Math.max(...Array.from(scores.data, (value, i) => Math.abs(value - whole.data[i]!)));
      expect(off).toBeLessThan(1e-6);
    }
  });

  it("weights the short last batch by its rows", async () => {
    const net = model();
    const scores = await train.predict(net, x);
    // −log softmax in float64 of the scores
    let total = 0;
    for (let i = 0; i < rows; i++) {
      const [a, b] = [scores.data[2 * i]!, scores.data[2 * i + 1]!];
      total += Math.log(Math.exp(a) + Math.exp(b)) - (y.data[i] === 0 ? a : b);
    }
    const options = {
      loss: loss.crossEntropy(),
      metrics: { accuracy: metrics.accuracy(), confusion: metrics.confusionMatrix() },
    };
    const result = await train.evaluate(net, set, { ...options, batchSize: 300 });
    expect(result.loss).toBeCloseTo(total / rows, 5);
    expect(result.accuracy).toBe(metrics.evaluate(metrics.accuracy(), scores, y));
    expect(result.confusion.counts.reduce((sum, count) => sum + count, 0)).toBe(rows);
  });

  it("reads u8 as pixels, as training and saved models do", async () => {
    const net = nn.sequential(nn.flatten());
    const pixels = array(Uint8Array.of(0, 51, 255, 102), [1, 1, 2, 2]);
    expect((await train.predict(net, pixels)).data).toEqual(Float32Array.from([0, 0.2, 1, 0.4]));
  });

  it("takes a plain function for a model", async () => {
    const twice = await train.predict((x) => x.mul(2), array([1, 2], [2, 1]));
    expect(twice.toArray()).toEqual([[2], [4]]);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ["a model that mixes rows", () => train.predict((x) => x.sum(0), x), /the model must give a row for each of the 256 samples, got \[3\]/],
    ["no samples", () => train.predict((x) => x, array(new Float32Array(0), [0, 3])), /expected at least one sample, got x \[0, 3\]/],
    ["an unknown option", () => train.evaluate(model(), set, { batchsize: 3 } as never), /train\.evaluate: unknown option "batchsize", did you mean "batchSize"\?/],
    ["a metric that was not called", () => train.evaluate(model(), set, { metrics: { accuracy: metrics.accuracy as never } }), /"accuracy" is no metric; call it/],
    ["a metric named loss", () => train.evaluate(model(), set, { metrics: { loss: metrics.accuracy() } }), /cannot be named "loss"/],
    ["a model that is none", () => train.evaluate(3 as never, set), /expected a module or a function of a tensor, got number/],
    ["an aborted signal", () => train.evaluate(model(), set, { signal: AbortSignal.abort() }), /train\.evaluate: aborted/],
  ])("refuses %s", async (_, attempt, message) => {
    await expect(attempt()).rejects.toThrow(message);
  }); // prettier-ignore
});

describe("train.fit", () => {
  const set = data.fromArrays({
    x: array(
      Float32Array.from({ length: 200 }, (_, i) => Math.cos(i)),
      [100, 2],
    ),
    y: array(
      Float32Array.from({ length: 100 }, (_, i) => Math.cos(2 * i) - Math.cos(2 * i + 1)),
      [100, 1],
    ),
  });
  const recipe = { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.1 }) };
  const weights = (net: nn.Module) => net.parameters().map((parameter) => parameter.readSync());

  it("counts steps and epochs: a short batch is a step, unless dropped", async () => {
    const { steps, history } = await train.fit(nn.linear(2, 1), set, { ...recipe, batchSize: 30, epochs: 2 }).result;
    expect([steps, history.map((record) => record.steps)]).toEqual([8, [4, 8]]);
    const dropping = await train.fit(nn.linear(2, 1), set, { ...recipe, batchSize: 30, epochs: 2, dropLast: true })
      .result;
    expect(dropping.steps).toBe(6);
    const counted = await train.fit(nn.linear(2, 1), set, { ...recipe, batchSize: 30, steps: 5 }).result;
    expect([counted.steps, counted.history.map((record) => record.steps)]).toEqual([5, [4, 5]]);
  });

  it("calls back in order, and waits", async () => {
    const told: string[] = [];
    const later = async (text: string) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      told.push(text);
    };
    await train.fit(nn.linear(2, 1), set, {
      ...recipe,
      batchSize: 50,
      epochs: 2,
      validate: { on: set },
      callbacks: {
        onStep: ({ index }) => later(`step ${index}`),
        onValidate: ({ steps }) => later(`validated after ${steps}`),
        onEpoch: ({ epoch, figures }) => later(`epoch ${epoch} ${Object.keys(figures).join(" ")}`),
        onEnd: ({ stopped }) => later(stopped),
      },
    }).result;
    expect(told).toEqual([
      "step 0",
      "step 1",
      "validated after 2",
      "epoch 0 loss val.loss",
      "step 2",
      "step 3",
      "validated after 4",
      "epoch 1 loss val.loss",
      "done",
    ]);
  });

  it("validates every so many steps, and at the end", async () => {
    const options = { ...recipe, batchSize: 10, steps: 25, validate: { on: set, every: 7 } };
    const { validations } = await train.fit(nn.linear(2, 1), set, options).result;
    expect(validations.map(({ steps }) => steps)).toEqual([7, 14, 21, 25]);
  });

  it("checks the training loss once an epoch, validated or not", async () => {
    const options = { ...recipe, optimizer: optim.sgd({ lr: 0 }), batchSize: 50, epochs: 10, shuffle: false };
    for (const validate of [undefined, { on: set, every: 1 }]) {
      const earlyStopping = { monitor: "loss", patience: 3 } as const;
      const { stopped, steps } = await train.fit(nn.linear(2, 1), set, { ...options, validate, earlyStopping }).result;
      expect([stopped, steps]).toEqual(["early", 8]);
    }
  });

  it("brings the best weights back before an error of a callback is seen", async () => {
    const net = nn.linear(2, 1);
    const held: { weights?: unknown } = {};
    const run = train.fit(net, set, {
      ...recipe,
      optimizer: optim.sgd({ lr: 0.1, maximize: true }), // gets worse from the first check on
      epochs: 5,
      earlyStopping: { monitor: "loss", patience: 100 },
      callbacks: {
        onEpoch: ({ epoch }) => epoch === 0 && (held.weights = weights(net)),
        onStep: ({ index }) => {
          if (index === 12) throw new TypeError("of the caller");
        },
      },
    });
    await expect(run.result).rejects.toThrow(new TypeError("of the caller"));
    expect(held.weights).toBeDefined();
    expect(weights(net)).toEqual(held.weights);
  });

  it("brings the best weights back before a loss that is not finite is reported", async () => {
    seed(1);
    const net = nn.linear(2, 1);
    const held: { weights?: unknown } = {};
    const run = train.fit(net, set, {
      ...recipe,
      batchSize: 100,
      epochs: 2000,
      optimizer: optim.sgd({ lr: (step) => (step < 3 ? 0.1 : 1e6) }),
      validate: { on: set },
      earlyStopping: { monitor: "val.loss", patience: 1e6 },
      callbacks: { onValidate: ({ steps }) => steps === 3 && (held.weights = weights(net)) },
    });
    const error = await run.result.catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "ERR_ATHANOR_NONFINITE" });
    expect((error as Error).message).toMatch(
      /the loss is (NaN|Infinity) at step \d+ \(epoch \d+, lr .*\); that step was skipped\. Lower the learning rate.*epoch 2, step 3/,
    );
    expect(weights(net)).toEqual(held.weights);
  });

  it("leaves running statistics alone in a step that is skipped", async () => {
    const net = nn.sequential(nn.batchNorm(2), nn.linear(2, 1));
    const run = train.fit(net, set, { ...recipe, optimizer: optim.sgd({ lr: 1e38 }), epochs: 50 });
    await expect(run.result).rejects.toMatchObject({ code: "ERR_ATHANOR_NONFINITE" });
    const statistics = net.parameters().filter((parameter) => parameter instanceof nn.Statistic);
    expect(statistics.length).toBeGreaterThan(0);
    for (const { data } of statistics.map((statistic) => statistic.readSync())) {
      expect([...data].every(Number.isFinite)).toBe(true);
    }
  });

  it("trains what a plain function uses", async () => {
    const slope = new Parameter([1], { fill: nn.init.ones() });
    const fixed = new Parameter([1], { fill: nn.init.ones(), trainable: false });
    const x = array([1, 2, 3, 4], [4, 1]);
    const line = data.fromArrays({ x, y: array([4, 7, 10, 13], [4, 1]) }); // 3 x + 1
    const options = { ...recipe, batchSize: 4, epochs: 200, optimizer: optim.sgd({ lr: 0.05 }) };
    await train.fit((x) => x.mul(slope).add(fixed), line, options).result;
    expect(slope.readSync().item()).toBeCloseTo(3, 4);
    expect(fixed.readSync().item()).toBe(1);
  });

  it("refuses to train a model twice at once, and lets it afterwards", async () => {
    const net = nn.linear(2, 1);
    const first = train.fit(net, set, { ...recipe, epochs: 3 }).result;
    await expect(train.fit(net, set, recipe).result).rejects.toThrow(/being trained by another run/);
    await first;
    expect((await train.fit(net, set, recipe).result).stopped).toBe("done");
  });

  it("rejects at once when the signal has fired already, without a step", async () => {
    const net = nn.linear(2, 1);
    const before = weights(net);
    const run = train.fit(net, set, { ...recipe, signal: AbortSignal.abort("enough") });
    await expect(run.result).rejects.toMatchObject({ code: "ERR_ATHANOR_ABORTED", cause: "enough" });
    expect(weights(net)).toEqual(before);
  });

  it.each<[string, object, RegExp]>([
    ["epochs and steps", { epochs: 1, steps: 2 }, /give epochs or steps, got both \(1 and 2\)/],
    ["a callback that does not exist", { callbacks: { onSteps: () => {} } }, /unknown option "onSteps", did you mean "onStep"\?/],
    ["a batch that dropLast leaves nothing of", { batchSize: 101, dropLast: true }, /batchSize 101 is more than the 100 samples/],
    ["a seed that is no number", { seed: -1 }, /seed must be a whole number from 0 on, got -1/],
    ["a loss that was not made", { loss: undefined }, /loss must be one of loss, such as loss\.crossEntropy\(\)/],
    ["an optimizer that was not called", { optimizer: optim.sgd }, /optimizer must be one of optim, .* got a function; call it/],
    ["an option of validate", { validate: { of: set } }, /validate: unknown option "of", did you mean "on"\?/],
    ["a signal that is none", { signal: {} }, /signal must be an AbortSignal/],
  ])("refuses %s", (_, options, message) => {
    expect(() => train.fit(nn.linear(2, 1), set, { ...recipe, ...options })).toThrow(message);
  }); // prettier-ignore
});

describe("train.step", () => {
  const x = array([1, 2, 3, 4], [2, 2]);

  it("reports further figures and the gradients' norm", async () => {
    const net = nn.linear(2, 1, { bias: false });
    net.parameters()[0]!.write(array([1, 1], [1, 2]));
    using step = train.step(net, optim.sgd({ lr: 0, clipNorm: 1 }), ({ x }: { x: Tensor }) => {
      const y = net.forward(x); // 3, 7
      return { loss: y.sum(), largest: y.max() };
    });
    const { loss: value, largest, gradNorm } = await step.run({ x });
    expect([value, largest]).toEqual([10, 7]);
    expect(gradNorm).toBeCloseTo(Math.hypot(4, 6), 12);
  });

  it("compiles once for every signature", async () => {
    const net = nn.linear(2, 1);
    let traced = 0;
    using step = train.step(net, optim.adam(), ({ x }: { x: Tensor }) => {
      traced++;
      return net.forward(x).square().mean();
    });
    for (let i = 0; i < 3; i++) await step.run({ x });
    await step.run({ x: array([1, 2], [1, 2]) });
    expect([traced, step.steps, step.bound!.steps]).toEqual([2, 4, 4]);
  });

  it("draws other dropout masks at every step, the same for one seed", async () => {
    const losses = async (value: number) => {
      const weight = new Parameter([1], { fill: nn.init.ones() });
      const wide = array(new Float32Array(64).fill(1), [64]);
      const body = ({ x }: { x: Tensor }) => ops.dropout(x, 0.5).mul(weight).mean();
      using step = train.step((x) => x, optim.sgd({ lr: 0 }), body, { seed: value });
      const seen: number[] = [];
      for (let i = 0; i < 4; i++) seen.push((await step.run({ x: wide })).loss);
      return seen;
    };
    const first = await losses(1);
    expect(new Set(first).size).toBeGreaterThan(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });

  it("throws at a loss that is not finite, the weights as before", async () => {
    const net = nn.linear(2, 1);
    const before = net.parameters().map((parameter) => parameter.readSync());
    using step = train.step(net, optim.sgd(), ({ x }: { x: Tensor }) =>
      net.forward(x).mul(Infinity).sum().sub(Infinity),
    );
    await expect(step.run({ x })).rejects.toThrow(
      /train\.step: the loss is NaN at step 0 \(lr 0\.001\); the weights are as before/,
    );
    expect(net.parameters().map((parameter) => parameter.readSync())).toEqual(before);
  });

  it.each<[string, (x: never) => unknown, RegExp]>([
    ["a loss of many numbers", (x: { square(): unknown }) => x.square(), /train\.step: "loss" must be one number, got \[2, 2\]; take its mean\(\)/],
    ["no loss", () => ({}), /must return the loss, or a record with a "loss" in it/],
    ["a number for a loss", () => 3, /must return the loss|must be a Tensor/],
    ["an integer loss", (x: { argmax(axis: number): { max(): unknown } }) => x.argmax(0).max(), /the loss must be f32, got i32/],
  ])("refuses %s", async (_, body, message) => {
    const step = train.step(nn.linear(2, 1), optim.sgd(), (({ x }: { x: never }) => body(x)) as never);
    await expect(step.run({ x } as never)).rejects.toThrow(message);
  }); // prettier-ignore

  it("refuses a batch that is none", async () => {
    const step = train.step(nn.linear(2, 1), optim.sgd(), ({ x }: { x: Tensor }) => x.sum());
    await expect(step.run(x as never)).rejects.toThrow(/expected a record of arrays such as \{ x, y \}/);
    await expect(step.run({ x: [1, 2] } as never)).rejects.toThrow(
      /"x" must be an array made by array\(values, shape\)/,
    );
  });
});
