// Models that ranks have among them: losses, gradients, weights and checkpoints against the undivided model, on every rank.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile, nn, optim, parallel, seed, train, type Tensor } from "athanor";
import { models, setOf, type DividedModel } from "./divided-models.js";

const [, , into, names] = process.argv as [string, string, string, string];
const { rank, size } = await parallel.connect({ deadline: 60 });

// Loss and gradients; the gradients as a model with them in the place of its weights.
async function passes<M extends nn.Module>(model: M, { loss, samples }: DividedModel) {
  const list = model.namedParameters().filter(({ parameter }) => parameter.trainable);
  const f = compile((x: Tensor, y: Tensor) => {
    const value = loss(nn.feed(model, x), y);
    const gradients = value.trace.gradients(
      value,
      list.map(({ parameter }) => value.trace.parameter(parameter)),
    );
    return { value, gradients };
  });
  const { value, gradients } = await f.run(samples.x, samples.y);
  f.dispose();
  const held = model.clone();
  const copies = new Map(held.namedParameters().map(({ name, parameter }) => [name, parameter]));
  list.forEach(({ name }, i) => copies.get(name)!.write(gradients[i]!));
  return { loss: value.item(), gradients: held };
}

// The largest difference, in parts of the largest number of a parameter, over those that training changes.
function difference(a: nn.Module, b: nn.Module): number {
  const others = b.namedParameters();
  return Math.max(
    ...a.namedParameters().map(({ parameter }, i) => {
      const [x, y] = [parameter.readSync().data as Float32Array, others[i]!.parameter.readSync().data as Float32Array];
      const scale = Math.max(1e-6, ...x.map((value) => Math.abs(value)));
      return Math.max(...x.map((value, at) => Math.abs(value - y[at]!))) / scale;
    }),
  );
}

// The checkpoint of step 4; another rank may still be writing the last one.
const dirAt = (dir: string): string =>
  join(
    dir,
    readdirSync(dir).find((name) => /^step-0*4$/.test(name))!,
  );

const calls = (name: string): number => parallel.ledger().find((row) => row.name === name)?.calls ?? 0;
const bytes = (name: string): number => parallel.ledger().find((row) => row.name === name)?.sent ?? 0;

async function trained(model: nn.Module, description: DividedModel, more: object = {}) {
  const losses: number[] = [];
  const result = await train.fit(model, setOf(description), {
    loss: description.loss,
    optimizer: optim.sgd({ lr: 0.05, momentum: 0.9, clipNorm: 0.5 }),
    batchSize: 7,
    steps: 8,
    seed: 3,
    ...more,
    callbacks: { onStep: ({ loss }) => void losses.push(loss) },
  });
  return { losses, norms: result.history.length };
}

async function compared(name: string) {
  const [kind, sequence] = name.split("+") as [string, string | undefined];
  const description = models[kind]!;
  seed(1);
  const model = description.model().assignNames();
  const plan = parallel.tensor(model, { input: description.input, sequence: sequence !== undefined });
  const part = plan.apply();
  const whole = await passes(model, description);
  const before = { calls: calls("all-reduce"), sent: bytes("all-reduce") };
  const divided = await passes(part, description);
  const allReduces = { calls: calls("all-reduce") - before.calls, sent: bytes("all-reduce") - before.sent };
  const gradients = difference(whole.gradients, await plan.gather(divided.gradients));

  const dir = join(into, `checkpoints-${kind}${sequence ?? ""}`);
  const keep = { checkpoint: { dir, every: 4 } };
  const one = await trained(model, description);
  const many = await trained(part, description, keep);
  const weights = difference(model, await plan.gather(part));
  const metrics = { loss: description.loss };
  const evaluated = [
    await train.evaluate(model, setOf(description), metrics),
    await train.evaluate(part, setOf(description), metrics),
  ];
  // Whole tensors in the file: the divided model goes on from step 4 to the same bits.
  const again = plan.apply();
  await trained(again, description, { resume: dirAt(dir) });
  const resumed = difference(await plan.gather(part), await plan.gather(again));
  return {
    plan: String(plan),
    size: plan.size,
    loss: [whole.loss, divided.loss],
    gradients,
    allReduces,
    losses: [one.losses, many.losses],
    weights,
    evaluated,
    resumed,
  };
}

const results: Record<string, unknown> = {};
for (const name of names.split(",")) results[name] = await compared(name);
writeFileSync(join(into, `${rank}.json`), JSON.stringify({ rank, size, results }));
