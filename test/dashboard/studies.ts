// Studies to look at, written to a storage in memory as workers write them.
import { tune } from "../../lib/tune/index.js";
import { flatten, type Space } from "../../lib/tune/space/index.js";
import { drawParams } from "../../lib/tune/samplers/random.js";
import { Draws } from "../../lib/tune/random/philox.js";
import type { MemoryStorage } from "../../lib/tune/storage/memory.js";
import type { Outcome } from "../../lib/tune/storage/storage.js";
import type { Direction } from "../../lib/tune/study/record.js";

/** What a text has to be shown as, and never taken for: markup, script, a way out of a quote. */
export const hostile = `<img src=x onerror="name='owned'">"'</script><script>name='owned'</script>`;

const space = {
  rate: tune.logUniform(1e-5, 1e-1),
  width: tune.int(16, 512, { step: 16 }),
  dropout: tune.uniform(0, 0.5),
  act: tune.choice(["relu", "gelu", hostile]),
};

/** Options of {@link fill}. */
export interface Filling {
  readonly name: string;
  readonly trials: number;
  readonly reports?: number;
  readonly directions?: readonly Direction[];
  readonly labels?: readonly string[];
  readonly space?: Space;
}

/** Makes a study of trials that have ended: most complete, some pruned, failed and infinite. Gives its id. */
export async function fill(storage: MemoryStorage, filling: Filling): Promise<number> {
  const { name, trials, reports = 0, directions = ["minimize"], labels = ["loss"] } = filling;
  const flat = flatten(filling.space ?? space);
  const spec = { space: flat, directions, labels, seed: 1, mode: "free" as const, lag: 8, constraints: 0, sampler: { name: "random" }, pruner: { name: "none" }, past: [] }; // prettier-ignore
  const { id } = await storage.create(name, spec, {});
  for (let i = 0; i < trials; i++) await addTrial(storage, id, flat, directions.length, reports);
  return id;
}

/** One more trial, claimed and ended. */
export async function addTrial(
  storage: MemoryStorage,
  id: number,
  flat: ReturnType<typeof flatten>,
  objectives: number,
  reports = 0,
): Promise<void> {
  // prettier-ignore
  const claim = await storage.claim(id, { worker: hostile, lease: 60, budget: null, losses: 3 });
  if (claim.kind !== "trial") throw new Error("there was no trial to claim");
  const { ticket } = claim;
  const { number } = ticket;
  const params = drawParams(flat, 1, number);
  await storage.sampled(ticket, params, 0);
  const draws = new Draws(1, number, "noise");
  const end = draws.uniform() + (params.dropout ?? 0);
  const list = Array.from({ length: reports }, (_, step) => ({ step, value: end + Math.exp(-step / 4) }));
  const values = Array.from({ length: objectives }, (_, k) => (k === 0 ? end : k * draws.uniform()));
  const outcome: Outcome =
    number % 50 === 7
      ? { state: "failed", error: { name: hostile, message: hostile } }
      : number % 20 === 3
        ? { state: "pruned" }
        : number % 101 === 9
          ? { state: "infinite", values: values.map(() => Infinity) }
          : { state: "complete", values };
  await storage.finish(ticket, outcome, { reports: list, attributes: { [hostile]: hostile } });
}
