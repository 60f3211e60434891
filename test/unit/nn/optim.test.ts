// Optimizers as descriptions and bound to parameters: options by name and range, groups, schedules, states. Their arithmetic
// is held against PyTorch in test/golden/optimizers.test.ts.
import { describe, expect, it } from "vitest";
import { array, loss, nn, optim, Parameter, schedule, train, type Tensor } from "../../../lib/index.js";
import { rules } from "../../../lib/native/rules.js";
import { camelCase, within } from "../../../lib/optim/hyper.js";

const factories = {
  sgd: optim.sgd,
  momentum: optim.momentum,
  nesterov: optim.nesterov,
  adam: optim.adam,
  adamW: optim.adamW,
  rmsProp: optim.rmsProp,
  adagrad: optim.adagrad,
  adadelta: optim.adadelta,
  asgd: optim.asgd,
  rprop: optim.rprop,
  nadam: optim.nadam,
  radam: optim.radam,
  adamax: optim.adamax,
  lion: optim.lion,
  ademamix: optim.ademamix,
  lamb: optim.lamb,
  lars: optim.lars,
  adafactor: optim.adafactor,
  muon: optim.muon,
  prodigy: optim.prodigy,
  scheduleFreeSgd: optim.scheduleFreeSgd,
  scheduleFreeAdamW: optim.scheduleFreeAdamW,
};
const three = () => nn.sequential(nn.linear(2, 3), nn.linear(3, 1)).assignNames();
const bind = (optimizer: optim.Optimizer, model: nn.Module = three()) => optim.bind(optimizer, model.namedParameters());

describe("an optimizer", () => {
  it("is plain, frozen data", () => {
    const optimizer = optim.adamW({ lr: 0.1, clipNorm: 2, groups: [{ match: "0", weightDecay: 0 }] });
    expect(optimizer).toEqual({
      name: "adamW",
      rule: "adamw",
      hyper: { lr: 0.1 },
      clipNorm: 2,
      states: "f32",
      groups: [{ match: "0", states: "f32", hyper: { lr: 0.1, weightDecay: 0 } }],
    });
    for (const part of [optimizer, optimizer.hyper, optimizer.groups, optimizer.groups[0]]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it.each(Object.entries(factories))(
    "%s takes every hyper-parameter of its rule but those it fixes",
    (name, factory) => {
      const { rule, hyper } = factory();
      const fixed = { momentum: ["nesterov"], nesterov: ["nesterov", "dampening"] }[name] ?? [];
      for (const row of rules[rule].hyper) {
        const options = { [camelCase(row.name)]: row.default };
        if (fixed.includes(row.name)) expect(() => factory(options)).toThrow(/unknown option/);
        else expect(factory(options).hyper).toEqual({ ...hyper, ...options });
      }
    },
  );

  it("exists for every rule of the engine", () => {
    const covered = new Set(Object.values(factories).map((factory) => factory().rule));
    expect([...covered].sort()).toEqual(Object.keys(rules).sort());
  });

  it("reads betas as beta1 and beta2", () => {
    expect(optim.adam({ betas: [0.8, 0.95] }).hyper).toEqual({ beta1: 0.8, beta2: 0.95 });
    expect(() => optim.adam({ betas: [0.8] as never })).toThrow(/optim\.adam: betas must be two numbers/);
  });

  it.each<[string, () => unknown, string]>([
    ["a long name for a short one", () => optim.adamW({ learningRate: 1 } as never), 'optim.adamW: unknown option "learningRate", did you mean "lr"?'],
    ["PyTorch's spelling", () => optim.adam({ weight_decay: 1 } as never), 'optim.adam: unknown option "weight_decay", did you mean "weightDecay"?'],
    ["an unknown option of a group", () => optim.sgd({ groups: [{ match: "a", momentun: 1 } as never] }), 'optim.sgd: groups[0]: unknown option "momentun", did you mean "momentum"?'],
    ["clipping of one group alone", () => optim.sgd({ groups: [{ match: "a", clipNorm: 1 } as never] }), 'optim.sgd: groups[0]: unknown option "clipNorm"'],
    ["a rate below 0", () => optim.sgd({ lr: -0.1 }), "optim.sgd: lr must be in [0, inf), got -0.1"],
    ["a rate that is NaN", () => optim.sgd({ lr: NaN }), "optim.sgd: lr must be in [0, inf), got NaN"],
    ["a beta of 1", () => optim.adam({ betas: [1, 0.9] }), "optim.adam: beta1 must be in [0, 1), got 1"],
    ["a rate that is text", () => optim.adam({ lr: "0.1" as never }), 'optim.adam: lr must be a number or a schedule, in [0, inf), got "0.1"'],
    ["a flag that is a number", () => optim.adam({ amsgrad: 1 as never }), "optim.adam: amsgrad must be true or false, got 1"],
    ["a schedule for a starting value", () => optim.adagrad({ initialAccumulator: (() => 1) as never }), "optim.adagrad: initialAccumulator is where a state starts from"],
    ["a schedule for the first step of Rprop", () => optim.rprop({ lr: (() => 1) as never }), "optim.rprop: lr is where a state starts from"],
    ["decay where the rule has none", () => optim.rprop({ weightDecay: 0.1 } as never), 'optim.rprop: unknown option "weightDecay"'],
    ["a factor that would not shrink", () => optim.rprop({ etaMinus: 1 }), "optim.rprop: etaMinus must be in (0, 1), got 1"],
    ["a norm of 0", () => optim.sgd({ clipNorm: 0 }), "optim.sgd: clipNorm must be a number above 0, got 0"],
    ["groups that are no list", () => optim.sgd({ groups: {} as never }), "optim.sgd: groups must be a list"],
    ["a group without match", () => optim.sgd({ groups: [{ lr: 1 } as never] }), "optim.sgd: groups[0]: match takes a name such as"],
    ["no options object", () => optim.sgd(0.1 as never), "optim.sgd: expected an object of options such as { lr: 1e-3 }, got 0.1"],
  ])("refuses %s", (_, attempt, message) => {
    expect(attempt).toThrow(message);
  }); // prettier-ignore

  it("knows open and closed ends of a range", () => {
    expect([-1, 0, 0.5, 1, Infinity, NaN].map((value) => within(value, "[0, 1)"))).toEqual(
      [false, true, true, false, false, false],
    ); // prettier-ignore
    expect(within(1, "[0, 1]")).toBe(true);
    expect(within(0, "(0, 1)")).toBe(false);
    expect([-1e9, Infinity].map((value) => within(value, "(-inf, inf)"))).toEqual([true, false]);
  });
});

describe("bind", () => {
  it("gives a parameter to the first group that matches it, the rest to the optimizer itself", () => {
    const optimizer = optim.sgd({
      lr: 1,
      groups: [
        { match: /bias$/, lr: 2 },
        { match: "1", lr: 3 },
        { match: (_, parameter) => parameter.size === 6, lr: 4 },
      ],
    });
    using bound = bind(optimizer);
    // The rest is empty: every parameter is in a group.
    expect(bound.parameters.map(({ name }) => name)).toEqual(["0.bias", "1.bias", "1.weight", "0.weight"]);
    const rows = bound.hyperAt(0).toArray() as number[][];
    expect(rows.map(([lr]) => lr)).toEqual([2, 3, 4]);
  });

  it("leaves frozen parameters out", () => {
    using bound = bind(optim.sgd(), three().freeze("0"));
    expect(bound.parameters.map(({ name }) => name)).toEqual(["1.weight", "1.bias"]);
  });

  it("refuses what cannot be trained, and groups that match nothing", () => {
    expect(() => bind(optim.sgd(), three().freeze())).toThrow(/optim\.sgd: all 4 parameters are frozen; unfreeze/);
    expect(() => optim.bind(optim.sgd(), [])).toThrow(/optim\.sgd: the model has no parameters to train/);
    expect(() => bind(optim.sgd({ groups: [{ match: /bais$/ }] }))).toThrow(
      /groups\[0\]\.match names no parameter \/bais\$\/; there are "0\.weight", "0\.bias"/,
    );
    const half = new Parameter([2], { dtype: "bf16" });
    expect(() => optim.bind(optim.sgd(), [{ name: "half", parameter: half }])).toThrow(/must be f32, got bf16/);
  });

  it("computes schedules of every group at every step", () => {
    const optimizer = optim.adam({
      lr: schedule.linear({ initial: 1, final: 0 }),
      beta1: (step) => 0.5 + step / 100,
      groups: [{ match: /bias$/, lr: schedule.step({ initial: 8, every: 2, factor: 0.5 }), eps: 1e-3 }],
    });
    using bound = bind(optimizer);
    // lr, weightDecay, beta1, beta2, eps, amsgrad, maximize
    expect(bound.hyperAt(5, 10).toArray()).toEqual([
      [0.5, 0, 0.55, 0.999, 1e-8, 0, 0],
      [2, 0, 0.55, 0.999, 1e-3, 0, 0],
    ]);
    expect(bound.rateAt(5, 10)).toBe(0.5);
  });

  it("names the step at which a schedule leaves the range", () => {
    using bound = bind(optim.sgd({ lr: (step) => 1 - step }));
    expect(bound.hyperAt(1).data[0]).toBe(0);
    expect(() => bound.hyperAt(2)).toThrow("optim.sgd: lr at step 2 must be in [0, inf), got -1");
  });

  it("keeps memory for a momentum that a schedule only later takes off 0", async () => {
    const model = nn.sequential(nn.linear(1, 1, { bias: false })).assignNames();
    const [parameter] = model.parameters();
    parameter!.write(array([0], [1, 1]));
    const optimizer = optim.sgd({ lr: 1, momentum: (step) => (step < 2 ? 0 : 0.5) });
    // The loss is −p x: its gradient is −1 everywhere.
    using step = train.step(model, optimizer, ({ x }: { x: Tensor }) => model.forward(x).sum().neg());
    const path = [];
    for (let i = 0; i < 4; i++) {
      await step.run({ x: array([1], [1, 1]) });
      path.push(parameter!.readSync().item());
    }
    // Plain for two steps; then b = 1, b = 1.5.
    expect(path).toEqual([1, 2, 3, 4.5]);
  });

  it.each(Object.keys(factories))(
    "gives the states of %s away and takes them back: a resumed run is the run",
    async (rule) => {
      const x = array([1, -2, 3, 0.5, 1, -1], [3, 2]);
      const y = array([1, 0, 2], [3, 1]);
      const start = (model: nn.Module, bound: optim.BoundOptimizer) =>
        train.step(model, bound, ({ x, y }) => loss.mse()(model.forward(x), y));
      const steady = rule === "rprop" || rule.startsWith("scheduleFree");
      const lr = steady ? 0.1 : schedule.linear({ initial: 0.1, final: 0, steps: 10 });
      const optimizer = factories[rule as "sgd"]({ lr });
      const values = (model: nn.Module) => model.parameters().map((parameter) => parameter.readSync());

      const whole = three();
      const first = values(whole);
      using bound = bind(optimizer, whole);
      const step = start(whole, bound);
      for (let i = 0; i < 4; i++) await step.run({ x, y });
      const saved = bound.stateDict();
      const middle = values(whole);
      for (let i = 0; i < 3; i++) await step.run({ x, y });

      const resumed = three();
      resumed.parameters().forEach((parameter, i) => parameter.write(middle[i]!));
      using again = bind(optimizer, resumed);
      again.loadStateDict(saved);
      const rest = start(resumed, again);
      for (let i = 0; i < 3; i++) await rest.run({ x, y });
      expect(values(resumed)).toEqual(values(whole));
      expect(values(whole)).not.toEqual(first);
      expect(saved.steps).toBe(4);
      if (rule === "adamW") expect(Object.keys(saved.states)).toContain("0.weight.exp_avg_sq");
      if (rule === "adafactor") expect(saved.states["0.weight.row_var"]!.shape).toEqual([3, 1]);
    },
  );

  it("refuses states of another model, and takes none of them", () => {
    using bound = bind(optim.adam());
    const saved = bound.stateDict();
    const { "0.weight.exp_avg": _, ...fewer } = saved.states;
    expect(() => bound.loadStateDict({ steps: 1, states: fewer })).toThrow(/"0\.weight\.exp_avg" is missing/);
    const strange = { ...saved.states, other: array([1]) };
    expect(() => bound.loadStateDict({ steps: 1, states: strange })).toThrow(/there is no state "other"/);
    const bent = { ...saved.states, "0.bias.exp_avg": array([1]) };
    expect(() => bound.loadStateDict({ steps: 1, states: bent })).toThrow(
      /"0\.bias\.exp_avg" must be f32 \[3\], got f32 \[1\]/,
    );
    expect(() => bound.loadStateDict({ ...saved, steps: -1 })).toThrow(/steps must be a whole number/);
    expect(bound.steps).toBe(0);
  });

  it("is gone after dispose, the parameters are not", () => {
    const model = three();
    const before = model.parameters().map((parameter) => parameter.readSync());
    const bound = bind(optim.adam(), model);
    bound.dispose();
    bound.dispose();
    expect(() => bound.native).toThrow(/optim\.adam: it was disposed/);
    expect(model.parameters().map((parameter) => parameter.readSync())).toEqual(before);
  });
});
