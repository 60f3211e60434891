// One suite over all storages: what a study relies on. Long because it is one suite.
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { LeaseLostError, StorageError } from "../../lib/errors.js";
import { tune } from "../../lib/tune/index.js";
import { flatten } from "../../lib/tune/space/index.js";
import type { ClaimRequest, Storage, StudySpec, Ticket } from "../../lib/tune/storage/storage.js";
import { cleanUp, kinds } from "./storages.js";
import { pause, tableOf } from "./table.js";

afterAll(cleanUp);

const spec = (over: Partial<StudySpec> = {}): StudySpec => ({
  space: flatten({ x: tune.uniform(0, 1) }),
  directions: ["minimize"],
  labels: ["value"],
  seed: 0,
  mode: "free",
  lag: 8,
  constraints: 0,
  sampler: { name: "random" },
  pruner: { name: "none" },
  past: [],
  ...over,
});
const ask: ClaimRequest = { worker: "w", lease: 60, budget: 100, losses: 3 };

let studies = 0;
const freshName = () => `study ${process.pid} ${studies++}`;

describe.each(kinds)("$kind", ({ open, fresh }) => {
  const opened: Storage[] = [];
  const begin = async (over: Partial<StudySpec> = {}) => {
    const place = fresh();
    const storage = await open(place);
    opened.push(storage);
    const study = await storage.create(freshName(), spec(over), {});
    const again = async () => {
      const other = await open(place);
      opened.push(other);
      return other;
    };
    const claim = async (request: Partial<ClaimRequest> = {}) => storage.claim(study.id, { ...ask, ...request });
    const take = async (request: Partial<ClaimRequest> = {}): Promise<Ticket> => {
      const claimed = await claim(request);
      if (claimed.kind !== "trial") throw new Error(`no trial: ${claimed.kind}`);
      return claimed.ticket;
    };
    const trials = async () => (await storage.changes(study.id, 0)).trials;
    return { storage, study: study.id, name: study.name, again, claim, take, trials };
  };
  afterEach(async () => {
    await Promise.all([...new Set(opened.splice(0))].map((storage) => storage.close()));
  });

  it("a study is made once, and found by its name by another worker", async () => {
    const { storage, name, again, study } = await begin({ past: [{ number: -1, state: "complete", params: { x: 0.5 }, values: [1], intermediate: [] }] }); // prettier-ignore
    const other = await again();
    const found = await other.create(name, spec({ seed: 9 }), {});
    expect([found.made, found.id, found.spec.seed, found.spec.past.length]).toEqual([false, study, 0, 1]);
    expect((await storage.list()).map((each) => each.name)).toContain(name);
    await storage.annotate(study, { a: 1, b: "x" });
    await other.annotate(study, { a: [2] });
    expect((await storage.find(name))?.attributes).toEqual({ a: [2], b: "x" });
    await storage.remove(study);
    expect(await storage.find(name)).toBeUndefined();
    await expect(storage.claim(study, ask)).rejects.toThrow(StorageError);
  });

  it("a trial comes back as it was written, NaN, infinities and steps out of order included", async () => {
    const { storage, take, trials } = await begin();
    const ticket = await take({ worker: "alpha" });
    await storage.sampled(ticket, { x: 0.1 + 0.2 }, 17);
    await storage.report(ticket, { reports: [{ step: 2, value: NaN }, { step: 0, value: -Infinity }], attributes: { a: 1 } }); // prettier-ignore
    await storage.report(ticket, { reports: [{ step: 2, value: 0.7 }, { step: 1, value: 1e-310 }], attributes: { b: null } }); // prettier-ignore
    await storage.finish(ticket, { state: "infinite", values: [Infinity], constraints: [-1] }, { suggested: { n: tune.int(1, 3) }, params: { x: 0.1 + 0.2, n: 2 } }); // prettier-ignore
    const [trial] = await trials();
    expect(trial).toMatchObject({
      number: 0,
      state: "infinite",
      values: [Infinity],
      constraints: [-1],
      params: { x: 0.1 + 0.2, n: 2 },
      attributes: { a: 1, b: null },
      intermediate: [
        { step: 0, value: -Infinity },
        { step: 1, value: 1e-310 },
        { step: 2, value: 0.7 },
      ],
      seen: 17,
      worker: "alpha",
      attempt: 0,
      suggested: { n: { kind: "int", low: 1, high: 3 } },
    });
    expect(trial!.sampledAt).toBeLessThan(trial!.endedAt!);
    expect(trial!.ended! - trial!.started!).toBeLessThan(60_000);
  });

  it("numbers have no gap and no double, whoever claims at once, and the budget is exact", async () => {
    const { study, storage, again } = await begin();
    const workers = [storage, await again(), await again()];
    const numbers: number[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const worker = workers[i % workers.length]!;
        for (;;) {
          const claimed = await worker.claim(study, { ...ask, budget: 90 });
          if (claimed.kind !== "trial") return;
          numbers.push(claimed.ticket.number);
          await worker.finish(claimed.ticket, { state: "complete", values: [0] }, {});
        }
      }),
    );
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, i) => i));
    expect(await storage.claim(study, { ...ask, budget: 90 })).toEqual({ kind: "done", exhausted: false });
  });

  it("deterministic order: a trial begins when those up to k − lag have ended and all below have parameters", async () => {
    const { storage, claim, take } = await begin({ mode: "deterministic", lag: 3 });
    const tickets = [await take()];
    expect((await claim()).kind).toBe("wait"); // 0 has no parameters
    await storage.sampled(tickets[0]!, { x: 0 }, 0);
    for (const number of [1, 2]) {
      tickets.push(await take());
      await storage.sampled(tickets[number]!, { x: 0 }, 0);
    }
    expect((await claim()).kind).toBe("wait"); // 3 needs the result of 0
    await storage.finish(tickets[1]!, { state: "complete", values: [1] }, {});
    expect((await claim()).kind).toBe("wait");
    await storage.finish(tickets[0]!, { state: "failed" }, {});
    expect((await take()).number).toBe(3);
  });

  it("a lease that ran out is another's; what its first worker writes then is refused, every kind of write", async () => {
    const { storage, again, study, take, trials } = await begin();
    const other = await again();
    const old = await take({ lease: 0.05 });
    await storage.sampled(old, { x: 0.5 }, 0);
    await storage.report(old, { reports: [{ step: 0, value: 1 }] });
    expect(await storage.beat([old], 0.05)).toEqual([]);
    expect((await other.claim(study, { ...ask, budget: 1 })).kind).toBe("wait");
    await pause(120);
    const claimed = await other.claim(study, { ...ask, budget: 1 });
    if (claimed.kind !== "trial") throw new Error(claimed.kind);
    expect(claimed.ticket).toEqual({ ...old, fence: old.fence + 1 });
    expect(claimed.trial).toMatchObject({ params: { x: 0.5 }, intermediate: [{ step: 0, value: 1 }], losses: 1 });
    for (const write of [
      () => storage.sampled(old, { x: 0.6 }, 0),
      () => storage.report(old, { reports: [{ step: 1, value: 2 }] }),
      () => storage.finish(old, { state: "complete", values: [2] }, {}),
      () => storage.release(old, { retry: false }),
      () => storage.release(old, { retry: true }),
      () => storage.exhaust(old),
    ]) {
      const refused = await write().then(() => undefined, (error: unknown) => error); // prettier-ignore
      expect(refused).toBeInstanceOf(LeaseLostError);
      expect((refused as Error).message).toMatch(/trial 0: another worker has taken it over .*claim 2, this one is 1/);
    }
    expect(await storage.beat([old, claimed.ticket], 60)).toEqual([old]);
    await other.finish(claimed.ticket, { state: "complete", values: [3] }, {});
    await other.finish(claimed.ticket, { state: "complete", values: [3] }, {}); // an answer that was lost is asked for again
    expect((await trials())[0]).toMatchObject({ values: [3], state: "complete", params: { x: 0.5 } });
  });

  it("a trial that loses its worker too often has failed, with the reason", async () => {
    const { take, claim, trials } = await begin();
    for (let losses = 0; losses < 3; losses++) {
      expect((await take({ lease: 0.01, losses: 2, budget: 1 })).fence).toBe(losses + 1);
      await pause(30);
    }
    expect((await claim({ losses: 2, budget: 1 })).kind).toBe("done");
    expect((await trials())[0]).toMatchObject({ state: "failed", losses: 3, error: { name: "LeaseLostError", message: /stopped 3 times/ as unknown } as never }); // prettier-ignore
  });

  it("a trial that was given back is taken up first, with its parameters and reports; retried anew without", async () => {
    const { storage, take, claim } = await begin();
    const [first, second] = [await take(), await take()];
    await storage.sampled(second, { x: 1 }, 0);
    await storage.release(second, { retry: false, report: { reports: [{ step: 4, value: 4 }] } });
    await storage.sampled(first, { x: 2 }, 0);
    await storage.report(first, { reports: [{ step: 4, value: 4 }] });
    await storage.release(first, { retry: true });
    await expect(storage.report(first, {})).rejects.toThrow(LeaseLostError);
    expect(await claim()).toMatchObject({ ticket: { number: 0, fence: 2 }, trial: { attempt: 1, params: { x: 2 }, intermediate: [] } }); // prettier-ignore
    expect(await claim()).toMatchObject({ ticket: { number: 1 }, trial: { attempt: 0, params: { x: 1 }, intermediate: [{ step: 4, value: 4 }] } }); // prettier-ignore
    expect(await claim()).toMatchObject({ ticket: { number: 2 } });
  });

  it("enqueued trials are given in order, once", async () => {
    const { storage, study, claim } = await begin();
    await storage.enqueue(study, [{ fixed: { x: 0.1 }, attributes: {} }, { fixed: {}, attributes: { note: "second" } }]); // prettier-ignore
    expect(await storage.enqueued(study)).toHaveLength(2);
    expect(await claim()).toMatchObject({ trial: { number: 0, fixed: { x: 0.1 } } });
    expect(await claim()).toMatchObject({ trial: { number: 1, attributes: { note: "second" } } });
    expect(await storage.enqueued(study)).toEqual([]);
  });

  it("the trial that another goes on from is kept: as enqueued, or as its sampler says", async () => {
    const { storage, study, take, trials } = await begin();
    await storage.enqueue(study, [{ fixed: { x: 0.1 }, attributes: {}, parent: 7 }]);
    expect(await storage.enqueued(study)).toEqual([{ fixed: { x: 0.1 }, attributes: {}, parent: 7 }]);
    const [first, second, third] = [await take(), await take(), await take()];
    await storage.sampled(first, { x: 0.1 }, 0);
    await storage.sampled(second, { x: 0.2 }, 0, 0);
    await storage.sampled(third, { x: 0.2 }, 0);
    expect((await trials()).map(({ parent }) => parent)).toEqual([7, 0, undefined]);
  });

  it("writes that come together are all done, in their order, and a refused one spoils none", async () => {
    const { storage, study, take, claim, trials } = await begin();
    const [a, b] = [await take(), await take()];
    const old = { ...a, fence: 0 };
    const said = await Promise.allSettled([
      storage.sampled(a, { x: 0.5 }, 1),
      storage.report(old, { reports: [{ step: 0, value: 9 }] }),
      storage.finish(a, { state: "complete", values: [1] }, { reports: [{ step: 0, value: 1 }] }),
      claim({ budget: 3 }),
      storage.release(b, { retry: false }),
      storage.claim(study + 1_000_000, ask),
      claim({ budget: 3 }),
      claim({ budget: 3 }),
    ]);
    await storage.settled();
    expect(said.map(({ status }) => status === "fulfilled")).toEqual([true, false, true, true, true, false, true, true]); // prettier-ignore
    expect(said.map((each) => (each.status === "fulfilled" ? (each.value as { ticket?: Ticket } | undefined)?.ticket?.number : undefined)).slice(3)).toEqual([2, undefined, undefined, 1, undefined]); // prettier-ignore
    expect((await trials())[0]).toMatchObject({ values: [1], params: { x: 0.5 }, intermediate: [{ step: 0, value: 1 }] }); // prettier-ignore
  });

  it("a study that was removed gives its workers no part in the next one of its name", async () => {
    const { storage, study, name, take } = await begin();
    const ticket = await take();
    await storage.remove(study);
    const next = await storage.create(name, spec(), {});
    await storage.claim(next.id, ask);
    await expect(storage.finish(ticket, { state: "complete", values: [0] }, {})).rejects.toThrow(/Error|study was removed|another worker/); // prettier-ignore
    expect((await storage.changes(next.id, 0)).trials).toMatchObject([{ number: 0, state: "running" }]);
  });

  it("an exhausted sampler's number is taken back, and the study is done; enqueued trials open it again", async () => {
    const { storage, study, take, claim, trials } = await begin();
    const first = await take();
    const second = await take();
    await storage.exhaust(second);
    expect((await claim()).kind).toBe("wait");
    await storage.finish(first, { state: "complete", values: [0] }, {});
    expect(await claim()).toEqual({ kind: "done", exhausted: true });
    expect(await trials()).toHaveLength(1);
    await storage.enqueue(study, [{ fixed: { x: 0.1 }, attributes: {} }]);
    expect((await take()).number).toBe(1);
  });

  it("changes gives what changed after a revision, and no more; wait resolves by it", async () => {
    const { storage, again, study, take } = await begin();
    const other = await again();
    const [a, b] = [await take(), await take()];
    const { revision, trials, count } = await other.changes(study, 0);
    expect([trials.length, count]).toEqual([2, 2]);
    await storage.sampled(b, { x: 1 }, 0);
    const later = await other.changes(study, revision);
    expect(later.trials.map(({ number }) => number)).toEqual([1]);
    expect(later.revision).toBeGreaterThan(revision);
    expect((await other.changes(study, later.revision)).trials).toEqual([]);
    const begun = performance.now();
    await Promise.all([
      other.wait(study, later.revision, 20_000),
      pause(20).then(() => storage.sampled(a, { x: 2 }, 0)),
    ]);
    expect(performance.now() - begun).toBeLessThan(10_000);
    await other.wait(study, (await other.changes(study, 0)).revision, 5);
  });

  it("draining gives what was begun, and nothing new", async () => {
    const { storage, take, claim } = await begin();
    const ticket = await take();
    await storage.release(ticket, { retry: false });
    expect((await take({ draining: true })).number).toBe(0);
    expect((await claim({ draining: true })).kind).toBe("done");
  });

  it("★ a search in free order by several workers is played again from its record", async () => {
    const place = fresh();
    const name = freshName();
    const sampler = () => tune.tpe({ startup: 4 });
    const studies = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const storage = await open(place);
        opened.push(storage);
        return tune(
          { x: tune.uniform(0, 1), k: tune.choice(["a", "b"]) },
          async (_, { params }) => {
            await pause(Math.random() * 4);
            if (params.x > 0.9) throw new Error("not there");
            return (params.x - 0.3) ** 2;
          },
          { trials: 40, mode: "free", concurrency: 2, storage, name, sampler: sampler(), failure: "continue" },
        );
      }),
    );
    const study = studies[0]!;
    expect(await tune.replay(study, sampler())).toEqual({ same: 40, different: [] });
    const { records } = study;
    const changed = { spec: study.spec, records: records.map((trial) => (trial.number === 30 ? { ...trial, params: { ...trial.params, x: 0.5 } } : trial)) }; // prettier-ignore
    expect((await tune.replay(changed, sampler())).different[0]).toMatchObject({ number: 30, recorded: { x: 0.5 }, replayed: records[30]!.params }); // prettier-ignore
  });

  it("★ a study by several workers is the table of one worker", async () => {
    const place = fresh();
    const run = async (workers: number) => {
      const name = freshName();
      const studies = await Promise.all(
        Array.from({ length: workers }, async () => {
          const storage = await open(place);
          opened.push(storage);
          return tune(
            { x: tune.uniform(0, 1), a: tune.choice(["r", "s"]) },
            async (trial, { params }) => {
              for (let step = 0; step < 4; step++) {
                trial.report(step, params.x * (step + 1));
                if (Math.random() < 0.2) await pause(Math.random() * 5);
                if (trial.shouldPrune()) trial.prune();
              }
              return params.x;
            },
            { trials: 30, concurrency: 2, storage, name, lag: 6, pruner: tune.asha({ factor: 2 }) },
          );
        }),
      );
      for (const study of studies) expect(tableOf(study)).toEqual(tableOf(studies[0]!));
      return tableOf(studies[0]!);
    };
    const alone = await run(1);
    expect(alone).toHaveLength(30);
    expect(await run(3)).toEqual(alone);
  });

  it("goes on in another process's place: load, resume and the same call", async () => {
    const place = fresh();
    const name = freshName();
    const space = { x: tune.uniform(0, 1) };
    const square = (_: unknown, { params }: { params: { x: number } }) => params.x ** 2;
    const with_ = async () => {
      const storage = await open(place);
      opened.push(storage);
      return { storage, name };
    };
    await tune(space, square, { trials: 5, ...(await with_()) });
    const loaded = await tune.load((await with_()).storage, name);
    expect(loaded.trials).toHaveLength(5);
    const more = await loaded.resume(square as never, { trials: 9 });
    const same = await tune(space, square, { trials: 12, ...(await with_()) });
    const whole = await tune(space, square, { trials: 12 });
    expect(more.trials).toHaveLength(9);
    expect(tableOf(same)).toEqual(tableOf(whole));
  });
});
