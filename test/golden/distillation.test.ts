// The losses of distillation beside PyTorch's formulas: values and gradients in float32 against float64.
import { describe, expect, it } from "vitest";
import { array, compile, distill, loss, nn, valueAndGrad, type NdArray, type Tensor } from "../../lib/index.js";
import { tolerances } from "../tolerances.js";
import { distance } from "./compare.js";
import { readGolden, type DistillationCase } from "./read.js";

const golden = readGolden("distillation");
const { losses } = distill;

type Inputs = Readonly<Record<string, Tensor>>;
type Options = object; // of each loss, in our names

// Terms see student and teacher as models: here the student gives x itself, and the teacher's scores come with the batch.
const itself: nn.ModuleLike = (x) => x;
const whole = (term: distill.Distillation, { student, teacher, labels }: Inputs) =>
  term.step(itself, loss.crossEntropy())({ x: student!, y: labels!, scores: teacher! });
const teacher = distill.fed("scores");

const run: Record<string, (inputs: Inputs, options: Options) => Tensor> = {
  kd: ({ student, teacher }, options) => losses.kd(student!, teacher!, options),
  hinton: (inputs, options) => whole(distill.kd({ teacher, ...options }), inputs),
  softCrossEntropy: ({ student, teacher }, options) => losses.softCrossEntropy(student!, teacher!, options),
  dkd: ({ student, teacher, labels }, options) => losses.dkd(student!, teacher!, labels!, options),
  dist: ({ student, teacher }, options) => losses.dist(student!, teacher!, options),
  logitStandardization: (inputs, options) =>
    whole(distill.logitStandardization(distill.kd({ teacher, alpha: 1, ...options })), inputs),
  hint: ({ student, teacher }) => losses.hint(student!, teacher!),
  attentionTransfer: ({ student, teacher }, options) => losses.attentionTransfer(student!, teacher!, options),
  fsp: ({ student, studentTo, teacher, teacherTo }) => losses.fsp([student!, studentTo!], [teacher!, teacherTo!]),
  rkd: ({ student, teacher }, options) => losses.rkd(student!, teacher!, options),
  similarity: ({ student, teacher }) => losses.similarity(student!, teacher!),
};

async function results(test: DistillationCase) {
  const inputs = (wanted: boolean) =>
    Object.fromEntries(
      Object.entries(test.inputs)
        .filter(([name]) => name in test.gradients === wanted)
        .map(([name, key]): [string, NdArray] => [name, array(golden.tensor(key).data, golden.tensor(key).shape)]),
    );
  const f = compile((students: Inputs, others: Inputs) =>
    valueAndGrad((wanted: Inputs) => run[test.loss]!({ ...wanted, ...others }, test.options))(students),
  );
  const { value, gradient } = await f.run(inputs(true), inputs(false));
  return { value: value.item(), gradient };
}

describe("losses of distillation beside PyTorch", () => {
  it.each(golden.record.cases.map((test) => [test.name, test] as const))("%s", async (_, test) => {
    const { value, gradient } = await results(test);
    const off = Math.abs(value - test.value) / Math.abs(test.value);
    expect(off).toBeLessThan(tolerances.f32.relative);
    for (const [name, key] of Object.entries(test.gradients)) {
      expect(distance(gradient[name]!, golden.tensor(key)), name).toBeLessThan(tolerances.f32.relative);
    }
  });
});
