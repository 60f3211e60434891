// Several divisions at once: a mesh of 2 × 2 or 2 × 2 × 2 ranks trains as one rank does.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { artifact, nn, optim, parallel, seed, train } from "athanor";
import { models, setOf } from "./divided-models.js";

const [, , into, name, extents] = process.argv as [string, string, string, string, string];
const { rank } = await parallel.connect({ deadline: 60 });
const mesh = parallel.mesh(JSON.parse(extents) as parallel.MeshOptions);
const isPipeline = mesh.extents.pipeline > 1;
const division = () => (isPipeline ? mesh.pipeline({ microBatches: 4, balance: "flops" }) : mesh.data({ shards: 4 }));
const description = models[name]!;

async function trained(model: nn.Module, more: object) {
  const losses: number[] = [];
  await train.fit(model, setOf(description), {
    loss: description.loss,
    optimizer: optim.sgd({ lr: 0.05, momentum: 0.9, clipNorm: 0.5 }),
    batchSize: 7,
    steps: 8,
    seed: 3,
    ...more,
    callbacks: { onStep: ({ loss }) => void losses.push(loss) },
  });
  return losses;
}

seed(1);
const model = description.model().assignNames();
const plan = mesh.tensor(model, { input: description.input });
const part = plan.apply();
const refused = await artifact.save(part, join(into, `part-${rank}`)).then(
  () => "",
  (thrown: unknown) => (thrown as Error).message,
);
const crossed = isPipeline
  ? await trained(part, { parallel: parallel.pipeline({ stages: 2 }) }).then(
      () => "",
      (thrown: unknown) => (thrown as Error).message,
    )
  : undefined;
const dir = join(into, "checkpoints");
const divided = await trained(part, { parallel: division(), checkpoint: { dir, every: 4 } });
const whole = await plan.gather(part);
const again = plan.apply();
// The checkpoint of step 4; another rank may still be writing the last one.
const resume = join(
  dir,
  readdirSync(dir).find((name) => /^step-0*4$/.test(name))!,
);
await trained(again, { parallel: division(), resume });
const resumed = await plan.gather(again);
// States, gradients and parameters that the ranks along the data dimension divide beside.
const zeros: nn.Module[] = [];
for (const zero of isPipeline ? [] : ([1, 2, 3] as const)) {
  const own = plan.apply();
  await trained(own, { parallel: mesh.data({ shards: 4, zero, bucketBytes: 4096 }) });
  zeros.push(await plan.gather(own));
}
const one = await trained(model, {});

const weightsOf = (of: nn.Module) =>
  of.namedParameters().map(({ parameter }) => [...(parameter.readSync().data as Float32Array)]);
const result = {
  mesh: String(mesh),
  place: mesh.place,
  refused,
  crossed,
  losses: [one, divided],
  weights: [weightsOf(model), weightsOf(whole), weightsOf(resumed)],
  zeros: zeros.map(weightsOf),
};
writeFileSync(join(into, `${rank}.json`), JSON.stringify(result));
