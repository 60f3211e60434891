import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../lib/errors.js";
import { tune } from "../../lib/tune/index.js";

const space = { x: tune.uniform(-1, 1), n: tune.int(1, 4) };
const bowl = (_: unknown, { params }: { params: { x: number; n: number } }) => params.x ** 2 + params.n;

describe("what a search refuses", () => {
  const wrong: [string, Record<string, unknown>, RegExp][] = [
    ["an unknown option", { n_trials: 3 }, /unknown option "n_trials", did you mean "trials"/],
    ["a direction", { direction: "down" }, /direction: expected "minimize", "maximize".*got "down"/],
    ["a factory as sampler", { sampler: tune.random }, /call it: it gives one/],
    ["a budget", { trials: 1.5 }, /trials must be a whole number from 0 on, got 1.5/],
    ["a policy", { failure: "retry" }, /failure: expected "continue", "stop" or \{ retry: 2 \}/],
    ["a mode", { mode: "async" }, /expected "deterministic" or "free", got "async"/],
    [
      "labels that are the same",
      { labels: ["a", "a"], direction: ["minimize", "minimize"] },
      /a name of its own for each value/,
    ],
    ["an enqueued value", { enqueue: [{ x: 3 }] }, /"x": expected a number from -1 to 1, got 3/],
  ];
  it.each(wrong)("refuses at once, with a sentence: %s", (_, options, message) => {
    expect(() => tune(space, bowl, options)).toThrow(ArgumentError);
    expect(() => tune(space, bowl, options)).toThrow(message);
  });

  it("shows how a range of whole numbers is written", () => {
    expect(() => tune.int(4, 1)).toThrow(/lower first, got 4 and 1; write tune\.int\(1, 8\)/);
  });

  it("tells what an objective did wrong", async () => {
    await expect(tune(space, () => "0.5" as never, { trials: 1 })).rejects.toThrow(
      /expected a number from the objective, got "0.5"/,
    );
    await expect(tune(space, () => 1, { trials: 1, direction: ["minimize", "maximize"] })).rejects.toThrow(
      /a list of 2 numbers/,
    );
    await expect(tune(space, () => 1, { trials: 1, constraints: 1 })).rejects.toThrow(/call trial\.constrain/);
    await expect(tune(space, (trial) => (trial.report(-1, 1), 1), { trials: 1 })).rejects.toThrow(
      /whole number from 0 on as step, got -1/,
    );
  });

  it("a study goes on only as what it was", async () => {
    const storage = new tune.MemoryStorage();
    await tune(space, bowl, { trials: 2, storage });
    const other = { ...space, x: tune.uniform(-2, 2) };
    await expect(tune(other, bowl, { trials: 3, storage })).rejects.toThrow(
      /another space: it was .*; give another name/,
    );
    await expect(tune(space, bowl, { trials: 3, storage, seed: 1 })).rejects.toThrow(
      /another seed: it was 0, now 1;.*allow: \["seed"\]/,
    );
    expect((await tune(space, bowl, { trials: 3, storage, seed: 1, allow: ["seed"] })).trials).toHaveLength(3);
    await expect(tune.load(storage, "digits")).rejects.toThrow(/has no study "digits"; it has "study"/);
  });
});
