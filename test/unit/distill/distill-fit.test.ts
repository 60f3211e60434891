// Distillation in training: what fit and step do with teachers, schedules, layers and projections.
import { describe, expect, it } from "vitest";
import {
  array,
  compile,
  data,
  distill,
  loss,
  nativeBytes,
  nn,
  optim,
  schedule,
  seed,
  train,
  type Tensor,
} from "../../../lib/index.js";

const set = data.fromArrays({
  x: array(
    Float32Array.from({ length: 90 * 6 }, (_, i) => Math.sin(i * i)),
    [90, 6],
  ),
  y: array(
    Uint8Array.from({ length: 90 }, (_, i) => (i * 7) % 4),
    [90],
  ),
});
const recipe = { loss: loss.crossEntropy(), optimizer: optim.adamW({ lr: 0.01 }), batchSize: 32, epochs: 3, seed: 5 };

function mlp(width: number, at: number, dropout = 0): nn.Sequential {
  seed(at);
  return nn.sequential(nn.linear(6, width), nn.relu(), ...(dropout ? [nn.dropout(dropout)] : []), nn.linear(width, 4));
}
const weightsOf = (net: nn.Module) => net.parameters().map((parameter) => Array.from(parameter.readSync().data));

async function fitted(terms: distill.Distillation | undefined, options: object = {}) {
  const student = mlp(8, 2);
  const { history } = await train.fit(student, set, { ...recipe, ...(terms ? { distill: terms } : {}), ...options });
  return { weights: weightsOf(student), losses: history.map(({ metrics }) => metrics.loss) };
}

describe("distillation in train.fit", () => {
  it("changes the student and leaves the teacher as it is, dropout off", async () => {
    const teacher = mlp(32, 1, 0.5);
    const before = weightsOf(teacher);
    const plain = await fitted(undefined);
    const taught = await fitted(distill.kd({ teacher, temperature: 3, alpha: 0.7 }));
    expect(weightsOf(teacher)).toEqual(before);
    expect(taught.weights).not.toEqual(plain.weights);
    // A teacher without dropout says the same: it is off.
    seed(1);
    const same = nn.sequential(nn.linear(6, 32), nn.relu(), nn.linear(32, 4));
    expect((await fitted(distill.kd({ teacher: same, temperature: 3, alpha: 0.7 }))).weights).toEqual(taught.weights);
  });

  it("alpha 0 trains on the task alone, alpha 1 does not look at the labels", async () => {
    const teacher = mlp(32, 1);
    const plain = await fitted(undefined);
    const none = await fitted(distill.kd({ teacher, alpha: 0 }));
    none.weights.flat().forEach((w, i) => expect(w).toBeCloseTo(plain.weights.flat()[i]!, 5));
    const strange = data.fromArrays({ x: set.x, y: array(new Uint8Array(90).fill(255), [90]) });
    await train.fit(mlp(8, 2), strange, { ...recipe, distill: distill.kd({ teacher, alpha: 1 }) });
    const labelled = train.fit(mlp(8, 2), strange, { ...recipe, distill: distill.kd({ teacher, alpha: 0.9 }) });
    await expect(labelled).rejects.toThrow(/255/);
  });

  it("is alpha T² KL + (1 − alpha) CE, at every step", async () => {
    const [teacher, student] = [mlp(32, 1), mlp(8, 2)];
    const want = compile((x: Tensor, y: Tensor) => {
      const p = teacher.forward(x).div(2).softmax();
      const q = student.forward(x).div(2).softmax();
      const kl = p.mul(p.log().sub(q.log())).sum(-1).mean();
      return kl.mul(0.7 * 4).add(loss.crossEntropy()(student.forward(x), y).mul(0.3));
    });
    const value = (await want.run(set.x, set.y)).item();
    const losses: number[] = [];
    const run = train.fit(student, set, {
      ...recipe,
      batchSize: 90,
      epochs: 1,
      distill: distill.kd({ teacher, temperature: 2, alpha: 0.7 }),
    });
    for await (const event of run) losses.push(event.loss);
    expect(losses[0]).toBeCloseTo(value, 5);
  });

  it("schedules of temperature and alpha: the constants they are at each step, in fit and in step", async () => {
    const teacher = mlp(32, 1);
    const asked: number[] = [];
    const temperature = (step: number, total: number) => {
      if (total === 9) asked.push(step);
      return 3;
    };
    const fixed = await fitted(distill.kd({ teacher, temperature: 3, alpha: 0.25 }));
    const moving = await fitted(distill.kd({ teacher, temperature, alpha: schedule.constant(0.25) }));
    expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    moving.weights.flat().forEach((w, i) => expect(w).toBeCloseTo(fixed.weights.flat()[i]!, 4));
    const two = distill.kd({ teacher, temperature: 1, alpha: (step) => step / 2 });
    const student = mlp(8, 2);
    using step = train.step(student, optim.sgd({ lr: 0 }), two.step(student, loss.crossEntropy()));
    const batch = { x: set.x, y: set.y };
    const values: number[] = [];
    for (let i = 0; i < 3; i++) values.push((await step.run(batch)).loss);
    const task = compile((x: Tensor, y: Tensor) => loss.crossEntropy()(student.forward(x), y));
    const kl = compile((x: Tensor) => distill.losses.kd(student.forward(x), teacher.forward(x)));
    const [ce, d] = [(await task.run(set.x, set.y)).item(), (await kl.run(set.x)).item()];
    [ce, (ce + d) / 2, d].forEach((want, i) => expect(values[i]).toBeCloseTo(want, 5));
  });

  it("a schedule outside of a training step, or with a value that is no number, is refused", async () => {
    const teacher = mlp(32, 1);
    const term = distill.kd({ teacher, alpha: (step) => step / 10 });
    const student = mlp(8, 2);
    const f = compile((x: Tensor, y: Tensor) => term.step(student, loss.crossEntropy())({ x, y }));
    expect(() => f.runSync(set.x, set.y)).toThrow(/a schedule needs the number of the step/);
    const broken = distill.kd({ teacher, alpha: (step) => (step < 2 ? 0.5 : NaN) });
    await expect(train.fit(student, set, { ...recipe, distill: broken })).rejects.toThrow(/NaN at step 2/);
  });

  it("several teachers: the gradient of their weighted mean", async () => {
    const [a, b] = [mlp(32, 1), mlp(16, 3)];
    const both = await fitted(distill.kd({ teacher: [a, b], teacherWeights: [0.25, 0.75], temperature: 1, alpha: 1 }));
    const mean = (x: Tensor) => a.forward(x).softmax().mul(0.25).add(b.forward(x).softmax().mul(0.75)).log();
    const one = await fitted(distill.kd({ teacher: mean, temperature: 1, alpha: 1 }));
    both.weights.flat().forEach((w, i) => expect(w).toBeCloseTo(one.weights.flat()[i]!, 3));
  });

  it("a student and teacher that are plain functions: only the student's parameters are trained", async () => {
    const [teacher, inner] = [mlp(32, 1), mlp(8, 2)];
    const before = weightsOf(teacher);
    const student = (x: Tensor) => inner.forward(x);
    await train.fit(student, set, { ...recipe, distill: distill.kd({ teacher: (x) => teacher.forward(x) }) });
    expect(weightsOf(teacher)).toEqual(before);
    expect(weightsOf(inner)).not.toEqual(weightsOf(mlp(8, 2)));
  });

  it("hints through a projection: the same run, the same bits; the projection is not in the model", async () => {
    const teacher = mlp(32, 1);
    const term = distill.hints({ teacher, layers: [{ student: "1", teacher: "1" }], weight: 2 });
    const first = await fitted(term);
    seed(99); // whatever was drawn in between
    nn.linear(3, 3);
    expect((await fitted(term)).weights).toEqual(first.weights);
    const [start] = (await fitted(term, { epochs: 1 })).losses;
    expect(first.losses.at(-1)).toBeLessThan(start!);
    expect(
      mlp(8, 2)
        .namedParameters()
        .map(({ name }) => name),
    ).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]);
  });

  it("a teacher's batch norms go by their running statistics and keep them", async () => {
    seed(1);
    const norm = nn.batchNorm(16);
    const teacher = nn.sequential(nn.linear(6, 16), norm, nn.relu(), nn.linear(16, 4));
    norm.runningMean.write(array(Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)), [16])); // prettier-ignore
    norm.runningVar.write(array(Float32Array.from({ length: 16 }, (_, i) => 1 + i / 8), [16])); // prettier-ignore
    const before = weightsOf(teacher);
    const live = await fitted(distill.kd({ teacher, alpha: 0.8 }));
    expect(weightsOf(teacher)).toEqual(before);
    const inUse = data.fromArrays({ x: await train.predict(teacher, set.x), y: set.y }).x;
    const student = mlp(8, 2);
    const term = distill.kd({ teacher: distill.fed("scores"), alpha: 0.8 });
    using step = train.step(student, optim.adamW({ lr: 0.01 }), term.step(student, loss.crossEntropy()));
    const first = await step.run({ x: set.x, y: set.y, scores: inUse });
    const whole = await fitted(distill.kd({ teacher, alpha: 0.8 }), { batchSize: 90, epochs: 1 });
    expect(whole.losses[0]).toBeCloseTo(first.loss, 5);
    expect(live.losses[0]).not.toBeNaN();
  });

  it("sequences: every token is a row", async () => {
    const tokens = array(Int32Array.from({ length: 8 * 5 }, (_, i) => (i * 7) % 11), [8, 5]); // prettier-ignore
    const next = array(Int32Array.from({ length: 8 * 5 }, (_, i) => (i * 5) % 11), [8, 5]); // prettier-ignore
    const model = (dim: number, at: number) => {
      seed(at);
      return nn.sequential(nn.embedding(11, dim), nn.linear(dim, 11));
    };
    const [teacher, student] = [model(16, 1), model(4, 2)];
    const run = async (taught: distill.Teacher) => {
      const net = student.clone();
      const options = { ...recipe, batchSize: 3, epochs: 2, distill: distill.kd({ teacher: taught, alpha: 0.5 }) };
      const { history } = await train.fit(net, { x: tokens, y: next }, options);
      return [weightsOf(net), history.map(({ metrics }) => metrics.loss)];
    };
    expect(await run(distill.cached(teacher))).toEqual(await run(teacher));
  });

  it("leaves no memory behind", async () => {
    const teacher = mlp(32, 1);
    const terms = distill.combine(
      distill.kd({ teacher: distill.ema(), alpha: 0.3 }),
      distill.hints({ teacher, layers: "1", weight: 0.1 }),
      distill.rkd({ teacher, weight: 0.01 }),
    );
    const student = mlp(8, 2);
    const run = () => train.fit(student, set, { ...recipe, epochs: 1, distill: terms });
    await run();
    const before = nativeBytes();
    for (let i = 0; i < 3; i++) await run();
    expect(nativeBytes()).toBeLessThanOrEqual(before); // less, where what earlier tests left is collected meanwhile
  });

  it("a moving average teaches: it follows the student", async () => {
    const term = distill.kd({ teacher: distill.ema({ decay: 0 }), temperature: 1, alpha: 0.5 });
    // With decay 0 the average is the student one step ago: in the first two steps it is the very student, and teaches nothing.
    const student = mlp(8, 2);
    const losses: number[] = [];
    using step = train.step(student, optim.sgd({ lr: 0.5 }), term.step(student, loss.crossEntropy()));
    using plain = train.step(student, optim.sgd({ lr: 0 }), ({ x, y }) => loss.crossEntropy()(student.forward(x), y));
    const batch = { x: set.x, y: set.y };
    for (let i = 0; i < 3; i++) {
      const task = (await plain.run(batch)).loss;
      losses.push((await step.run(batch)).loss - task / 2);
    }
    expect(losses[0]).toBeCloseTo(0, 6);
    expect(losses[1]).toBeGreaterThan(1e-5);
    const [a, b] = [await fitted(term), await fitted(term)];
    expect(a).toEqual(b);
  });
});

describe("what is refused", () => {
  const teacher = mlp(32, 1);

  it("a layer that is not there, naming those that are", async () => {
    const term = distill.hints({ teacher, layers: [{ student: "1", teacher: "7" }] });
    await expect(fitted(term)).rejects.toThrow(/distill.hints: teacher: there is no layer "7".*"0", "1", "2"/);
  });

  it("a bound optimizer, which cannot train a projection", async () => {
    const student = mlp(8, 2);
    using bound = optim.bind(optim.sgd({ lr: 0.1 }), student.assignNames().namedParameters());
    const term = distill.hints({ teacher, layers: "1" });
    using step = train.step(student, bound, term.step(student, loss.crossEntropy()));
    await expect(step.run({ x: set.x, y: set.y })).rejects.toThrow(/parameters of its own \(auxiliary0.weight\)/);
  });

  it("the student as its own teacher", async () => {
    const student = mlp(8, 2);
    const run = train.fit(student, set, { ...recipe, distill: distill.kd({ teacher: student }) });
    await expect(run).rejects.toThrow(/the teacher is the student itself.*distill.ema/);
  });

  it.each<[string, () => unknown, RegExp]>([
    ["no teacher", () => distill.kd({} as never), /distill.kd: teacher must be a module/],
    ["a strange option", () => distill.kd({ teacher, temprature: 3 } as never), /did you mean "temperature"/],
    ["alpha above 1", () => distill.kd({ teacher, alpha: 1.5 }), /alpha must be a number from 0 to 1/],
    ["temperature 0", () => distill.kd({ teacher, temperature: 0 }), /temperature must be a number/],
    [
      "alphas of more than 1",
      () => distill.combine(distill.kd({ teacher, alpha: 0.6 }), distill.kd({ teacher, alpha: 0.6 })),
      /alphas of all terms add up to 1.2/,
    ],
    [
      "weights of another number",
      () => distill.kd({ teacher: [teacher], teacherWeights: [1, 2] }),
      /must be 1 numbers/,
    ],
    ["layers of a strange kind", () => distill.hints({ teacher, layers: 3 as never }), /layers must be a path/],
    [
      "standardized features",
      () => distill.logitStandardization(distill.similarity({ teacher, layers: "1" })),
      /takes terms on scores, such as distill.kd, got distill.similarity/,
    ],
    [
      "an option of fit that is no term",
      () => train.fit(mlp(8, 2), set, { ...recipe, distill: distill.kd as never }),
      /distill must be one of distill.*the function .*; call it/,
    ],
  ])("%s", (_, body, message) => {
    expect(body).toThrow(message);
  });
});
