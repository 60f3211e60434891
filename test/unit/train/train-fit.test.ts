// What fit counts, calls and refuses, and what it leaves behind when it fails. Whole runs: test/e2e/fit.test.ts.
import { describe, expect, it, vi } from "vitest";
import { array, data, loss, nn, optim, Parameter, seed, train } from "../../../lib/index.js";

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

  it("trains when it is awaited, and when it is only called", async () => {
    const net = nn.linear(2, 1);
    const before = weights(net);
    const { steps } = await train.fit(net, set, { ...recipe, batchSize: 50 });
    expect(steps).toBe(2);
    const between = weights(net);
    expect(between).not.toEqual(before);
    const onEnd = vi.fn();
    void train.fit(net, set, { ...recipe, batchSize: 50, callbacks: { onEnd } });
    await vi.waitFor(() => expect(onEnd).toHaveBeenCalled());
    expect(weights(net)).not.toEqual(between);
  });

  it("gives its result through an async function and to Promise.all", async () => {
    const begun = async () => train.fit(nn.linear(2, 1), set, { ...recipe, steps: 3 });
    const results = await Promise.all([begun(), train.fit(nn.linear(2, 1), set, { ...recipe, steps: 4 })]);
    expect(results.map(({ steps }) => steps)).toEqual([3, 4]);
  });

  it("counts steps and epochs: a short batch is a step, unless dropped", async () => {
    const { steps, history } = await train.fit(nn.linear(2, 1), set, { ...recipe, batchSize: 30, epochs: 2 });
    expect([steps, history.map((record) => record.steps)]).toEqual([8, [4, 8]]);
    const dropping = await train.fit(nn.linear(2, 1), set, { ...recipe, batchSize: 30, epochs: 2, dropLast: true });
    expect(dropping.steps).toBe(6);
    const counted = await train.fit(nn.linear(2, 1), set, { ...recipe, batchSize: 30, steps: 5 });
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
        onEpoch: ({ epoch, metrics }) => later(`epoch ${epoch} ${Object.keys(metrics).join(" ")}`),
        onEnd: ({ stopped }) => later(stopped),
      },
    });
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
    const { validations } = await train.fit(nn.linear(2, 1), set, options);
    expect(validations.map(({ steps }) => steps)).toEqual([7, 14, 21, 25]);
  });

  it("checks the training loss once an epoch, validated or not", async () => {
    const options = { ...recipe, optimizer: optim.sgd({ lr: 0 }), batchSize: 50, epochs: 10, shuffle: false };
    for (const validate of [undefined, { on: set, every: 1 }]) {
      const earlyStopping = { monitor: "loss", patience: 3 } as const;
      const { stopped, steps } = await train.fit(nn.linear(2, 1), set, { ...options, validate, earlyStopping });
      expect([stopped, steps]).toEqual(["early", 8]);
    }
  });

  it("restores no weights of before startFrom, and says that there is no best before it", async () => {
    const worse = { ...recipe, optimizer: optim.sgd({ lr: 0.1, maximize: true }), batchSize: 100 }; // the first check is the best
    const options = { ...worse, epochs: 4, earlyStopping: { monitor: "loss", patience: 9, startFrom: 2 } } as const;
    const { best, history } = await train.fit(nn.linear(2, 1), set, options);
    expect(best?.epoch).toBe(2);
    expect(history[0]!.metrics.loss).toBeLessThan(best!.metrics.loss!);
    const net = nn.linear(2, 1);
    const held: unknown[] = [];
    const callbacks = { onEpoch: () => held.push(weights(net)) };
    const short = await train.fit(net, set, { ...options, callbacks, epochs: 2 });
    expect(short.best).toBeUndefined();
    expect(weights(net)).toEqual(held[1]);
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
    await expect(run).rejects.toThrow(new TypeError("of the caller"));
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
    const error = await run.catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "ERR_ATHANOR_NONFINITE" });
    expect((error as Error).message).toMatch(
      /the loss is (NaN|Infinity) at step \d+ \(epoch \d+, lr .*\); that step was skipped, the weights are as before it\. Lower the learning rate.*epoch 2, step 3/,
    );
    expect(weights(net)).toEqual(held.weights);
  });

  it("leaves running statistics alone in a step that is skipped", async () => {
    const net = nn.sequential(nn.batchNorm(2), nn.linear(2, 1));
    const run = train.fit(net, set, { ...recipe, optimizer: optim.sgd({ lr: 1e38 }), epochs: 50 });
    await expect(run).rejects.toMatchObject({ code: "ERR_ATHANOR_NONFINITE" });
    const statistics = net.parameters().filter((parameter) => parameter instanceof nn.Buffer);
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
    await train.fit((x) => x.mul(slope).add(fixed), line, options);
    expect(slope.readSync().item()).toBeCloseTo(3, 4);
    expect(fixed.readSync().item()).toBe(1);
  });

  it("refuses to train a model twice at once, and lets it afterwards", async () => {
    const net = nn.linear(2, 1);
    const first = train.fit(net, set, { ...recipe, epochs: 3 });
    await expect(train.fit(net, set, recipe)).rejects.toThrow(/being trained by another run/);
    await first;
    expect((await train.fit(net, set, recipe)).stopped).toBe("done");
  });

  it("rejects at once when the signal has fired already, without a step", async () => {
    const net = nn.linear(2, 1);
    const before = weights(net);
    const run = train.fit(net, set, { ...recipe, signal: AbortSignal.abort("enough") });
    await expect(run).rejects.toMatchObject({ code: "ERR_ATHANOR_ABORTED", cause: "enough" });
    expect(weights(net)).toEqual(before);
  });

  it.each<[string, object, RegExp]>([
    ["epochs and steps", { epochs: 1, steps: 2 }, /give epochs or steps, got both \(1 and 2\)/],
    ["a callback that does not exist", { callbacks: { onSteps: () => {} } }, /unknown option "onSteps", did you mean "onStep"\?/],
    ["a batch that dropLast leaves nothing of", { batchSize: 101, dropLast: true }, /batchSize 101 is more than the 100 samples/],
    ["a seed that is no number", { seed: -1 }, /seed must be a whole number from 0 on, got -1/],
    ["a loss that was not made", { loss: undefined }, /loss must be one of loss, such as loss\.crossEntropy\(\)/],
    ["an optimizer that was not called", { optimizer: optim.sgd }, /optimizer must be one of optim, .* got the function sgd; .*call/],
    ["an option of validate", { validate: { of: set } }, /validate: unknown option "of", did you mean "on"\?/],
    ["a signal that is none", { signal: {} }, /signal must be an AbortSignal/],
  ])("refuses %s", (_, options, message) => {
    expect(() => train.fit(nn.linear(2, 1), set, { ...recipe, ...options })).toThrow(message);
  }); // prettier-ignore
});
