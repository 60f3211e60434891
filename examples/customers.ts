// From a table to a service: customers with missing cells become a trained, pruned, quantized artifact, and a Fastify service that
// takes raw rows and answers class names.   node scripts/run-ts.mjs examples/customers.ts, then
//   curl localhost:3000/plan -H content-type:application/json -d '{"age":41,"city":"Lyon","contract":"yearly","years":3,"gigabytes":null}'
import fastify from "fastify";
import { artifact, AthanorError, data, loss, metrics, nn, optim, prune, quantize, schedule, train } from "athanor";

const customers = await data.csv(new URL("customers/customers.csv", import.meta.url), {
  label: "plan",
  drop: ["id"],
  numbers: { missing: "median", scale: "standard" },
  categories: { missing: "category" },
});
const { train: training, validation } = customers.split({ validation: 0.25, seed: 1 });
const model = nn.sequential(nn.linear(training.x.shape[1]!, 64), nn.relu(), nn.linear(64, 64), nn.relu(), nn.linear(64, customers.classes!.length)); // prettier-ignore
const recipe = {
  loss: loss.crossEntropy(),
  optimizer: optim.adamW({ lr: schedule.cosine({ peak: 5e-3, warmup: 0.1 }), weightDecay: 0.02 }),
  batchSize: 32,
  epochs: 40,
  validate: { on: validation, metrics: { accuracy: metrics.accuracy() } },
};
await train.fit(model, training, recipe);
const pruned = await prune(model, { amount: 0.6, during: { data: training, ...recipe, epochs: 10 } });
await artifact.save(await quantize(pruned, quantize.int8()), "out/customers");

const served = await artifact.load("out/customers");
export const service = fastify();
service.setErrorHandler<Error>((error, _, reply) => {
  const asked = error instanceof AthanorError && error.code === "ERR_ATHANOR_ARGUMENT"; // the row cannot be read: say why
  return reply.status(asked ? 400 : 500).send({ error: asked ? error.message : "internal error" });
});
service.post<{ Body: data.TableRow }>("/plan", ({ body }) => served.classify(body));
service.post<{ Body: data.TableRow[] }>("/plans", ({ body }) => served.classify(body, { top: 2 }));
if (process.argv[1] === import.meta.filename) console.log(`ready at ${await service.listen({ port: 3000 })}`);

/** What was reached on the way, for whoever runs this as a test. */
export const reached = { float: model.info.metrics!, pruned: pruned.info.metrics!, info: served.info };
