// Whatever a public function is called with, it answers with a result or with a sentence of this package, never with a TypeError from
// somewhere inside, and never by ending the process later.
import { expect, it } from "vitest";
import * as athanor from "../../lib/index.js";
import { Caller, doors, methods, model, samples, type Door } from "./doors.js";

const { array, optim } = athanor;

const wrong: readonly (readonly unknown[])[] = [
  [],
  [undefined],
  [null],
  [0],
  [-1],
  ["x"],
  [{}],
  [[]],
  [() => 1],
  [{}, {}],
  [null, null],
  ["x", "y"],
  [[], null],
  // What many functions begin with, and then something else.
  [model()],
  [model(), null],
  [model(), "x"],
  [model(), {}],
  [model(), 3],
  [model(), samples()],
  [model(), samples(), null],
  [model(), samples(), "x"],
  [model(), optim.sgd()],
  [model(), optim.sgd(), "x"],
  [array([1, 2], [2])],
  [array([1, 2], [2]), null],
  [array([1, 2], [2]), "x"],
  [samples()],
  [samples(), null],
  [samples(), "x"],
];

const caller = new Caller();

async function strangeIn(all: readonly Door[]): Promise<string[]> {
  const found: string[] = [];
  for (const door of all) {
    for (const args of wrong) {
      const { strange } = await caller.outcome(door, args);
      if (strange === undefined) continue;
      found.push(strange);
      break;
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 100)); // for what is thrown later
  return found;
}

it("misuse of functions is answered by a sentence", { timeout: 120_000 }, async () => {
  const all = [...doors(athanor)];
  expect(all.length).toBeGreaterThan(250);
  expect(await strangeIn(all)).toEqual([]);
  expect(caller.later).toEqual([]);
});

it("misuse of methods is answered by a sentence", { timeout: 120_000 }, async () => {
  const all = [...methods()];
  expect(all.length).toBeGreaterThan(60);
  expect(await strangeIn(all)).toEqual([]);
  expect(caller.later).toEqual([]);
});
