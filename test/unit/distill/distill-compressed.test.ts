// Distillation with pruned and quantized models, as students and as teachers.
import { beforeAll, describe, expect, it } from "vitest";
import {
  array,
  compile,
  data,
  distill,
  loss,
  nn,
  optim,
  quantize,
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

function mlp(width: number, at: number): nn.Sequential {
  seed(at);
  return nn.sequential(nn.linear(6, width), nn.relu(), nn.linear(width, 4));
}

describe("a compressed student learns from its dense self", () => {
  const dense = mlp(32, 1);
  beforeAll(() => train.fit(dense, set, { ...recipe, epochs: 60 }));
  const apart = async (a: nn.Module, b: nn.Module) => {
    const f = compile((x: Tensor) => distill.losses.kd(a.forward(x), b.forward(x)));
    return (await f.run(set.x)).item();
  };

  it("with weights that are rounded in training, and packed afterwards", async () => {
    const student = await quantize.prepare(dense, quantize.intN(2));
    const before = await apart(student, dense);
    const terms = distill.combine(
      distill.kd({ teacher: dense, temperature: 2, alpha: 1 }),
      distill.hints({ teacher: dense, layers: "1", weight: 0.1 }),
    );
    const slowly = { ...recipe, optimizer: optim.adamW({ lr: schedule.cosine({ peak: 3e-3 }) }), epochs: 60 };
    await train.fit(student, set, { ...slowly, distill: terms });
    expect(await apart(student, dense)).toBeLessThan(before / 2);
    const packed = await quantize.convert(student);
    expect(await apart(packed, dense)).toBeLessThan(before / 2);
    // And the other way round: a packed model teaches.
    const taught = mlp(8, 2);
    const far = await apart(taught, packed);
    await train.fit(taught, set, {
      ...recipe,
      epochs: 60,
      distill: distill.kd({ teacher: packed, temperature: 2, alpha: 1 }),
    });
    expect(await apart(taught, packed)).toBeLessThan(far / 3);
  });
});
