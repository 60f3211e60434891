// The golden files against themselves: a replay in plain float64 of three cases shows that what the files say is enough to
// repeat PyTorch's run, and that the README's formulas are the right ones.

import { describe, expect, it } from "vitest";
import { readGolden, type OptimizerCase } from "./read.js";

const { record, tensor } = readGolden("optimizers");
const numbers = (key: string) => Array.from(tensor(key).data);

interface Scalar {
  p: number;
  m: number;
  v: number;
}

type Rule = (at: Scalar, g: number, options: { lr: number; decay: number; step: number }) => void;

const rules: Record<string, Rule> = {
  "momentum-dampening-clip": (at, g, { lr, decay, step }) => {
    const d = g + decay * at.p;
    at.m = step === 0 ? d : 0.9 * at.m + 0.7 * d;
    at.p -= lr * at.m;
  },
  "adamw-clip-scheduled": (at, g, { lr, decay, step }) => {
    at.m = 0.9 * at.m + 0.1 * g;
    at.v = 0.999 * at.v + 0.001 * g * g;
    at.p -= lr * decay * at.p;
    at.p -= (lr * (at.m / (1 - 0.9 ** (step + 1)))) / (Math.sqrt(at.v / (1 - 0.999 ** (step + 1))) + 1e-8);
  },
  "adagrad-accumulator": (at, g, { lr, decay, step }) => {
    const d = g + decay * at.p;
    if (step === 0) at.v = 0.4;
    at.v += d * d;
    at.p -= (lr * d) / (Math.sqrt(at.v) + 1e-10);
  },
};

function replay(golden: OptimizerCase, rule: Rule): number[] {
  const parameters = record.parameters.map((name) => ({
    group: record.groups.findIndex(({ names }) => names.includes(name)),
    scalars: numbers(record.start[name]!).map((p): Scalar => ({ p, m: 0, v: 0 })),
    gradients: numbers(record.gradients[name]!),
  }));
  for (let step = 0; step < record.steps; step++) {
    const gradients = parameters.map(({ scalars, gradients }) =>
      gradients.slice(step * scalars.length, (step + 1) * scalars.length),
    );
    const norm = Math.hypot(...gradients.flat());
    if (golden.norms) expect(norm).toBeCloseTo(golden.norms[step]!, 12);
    const scale = golden.clip ? Math.min(1, record.clipNorm / (norm + 1e-6)) : 1;
    parameters.forEach(({ group, scalars }, index) => {
      const { lr, weightDecay: decay } = golden.groups[group]!;
      const rate = lr * (golden.lrScale?.[step] ?? 1);
      scalars.forEach((at, i) => rule(at, scale * gradients[index]![i]!, { lr: rate, decay: decay ?? 0, step }));
    });
  }
  return parameters.flatMap(({ scalars }) => scalars.map(({ p }) => p));
}

describe("golden optimizer trajectories can be replayed from the files alone", () => {
  for (const [name, rule] of Object.entries(rules)) {
    it(name, () => {
      const golden = record.cases.find((entry) => entry.name === name)!;
      const got = replay(golden, rule);
      const want = numbers(golden.expected[record.steps]!.f64);
      expect(got).toHaveLength(want.length);
      got.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 12));
    });
  }
});

it("every key that a record names is in its file", () => {
  const values = (...maps: Readonly<Record<string, string>>[]) => maps.flatMap((map) => Object.values(map));
  const models = readGolden("models");
  for (const { start, final, final64, x, y } of models.record.cases) {
    for (const key of [x, y, ...values(start, final, final64)]) models.tensor(key);
  }
  const operations = readGolden("operations");
  for (const { inputs, dy, outputs, gradients } of operations.record.cases) {
    for (const key of [dy, ...values(inputs, outputs, gradients)]) operations.tensor(key);
  }
  const distillation = readGolden("distillation");
  for (const { inputs, gradients } of distillation.record.cases) {
    for (const key of values(inputs, gradients)) distillation.tensor(key);
  }
});
