// Whatever an option is given, the function answers with a result or with a sentence of this package. The options of a function are
// read from what it says to one that it does not know; those that it cannot do without are found by what it asks for.
import { expect, it } from "vitest";
import * as athanor from "../../lib/index.js";
import { Caller, doors, methods, model, samples, x22, type Door } from "./doors.js";

const { loss, optim, tune } = athanor;
const space = () => ({ x: tune.uniform(0, 1) });

// What may come before the options.
const beginnings: readonly (() => unknown[])[] = [
  () => [],
  () => [model()],
  () => [model(), samples()],
  () => [x22()],
  () => [samples()],
  () => [model(), optim.sgd({ lr: 0.1 })],
  () => [2],
  () => [2, 3],
  () => ["x"],
  () => [x22(), x22()],
  () => [[2, 2]],
  () => [model(), model(), samples()],
  () => [() => 1],
  () => [space(), () => 1],
];

// What an option that must be there may be.
const likely = (): unknown[] => [1, 2, 0.5, 1e-3, "x", [2, 2], samples(), model(), optim.sgd({ lr: 0.1 }), loss.crossEntropy(), () => 1, x22(), true]; // prettier-ignore

const wrong: readonly unknown[] = [null, -1, 0, NaN, 1.5, 1e30, "x", "", true, {}, [], [4], ["a"], [[]], () => 1, { a: 1 }, Symbol.iterator, 10n]; // prettier-ignore

// No option takes all of these.
const anything: readonly unknown[] = [NaN, -7.5, "zz", {}, () => 1, true];

const caller = new Caller();

interface Found {
  readonly beginning: () => unknown[];
  readonly options: readonly string[];
}

async function optionsOf(door: Door): Promise<Found | undefined> {
  for (const beginning of beginnings) {
    const { sentence = "" } = await caller.outcome(door, [...beginning(), { zzz: 1 }]);
    const known = /unknown option "zzz"; known: (.*)$/.exec(sentence)?.[1];
    if (known !== undefined) return { beginning, options: [...known.matchAll(/"([^"]+)"/g)].map(([, name]) => name!) };
  }
  return undefined;
}

// Options that the function asks for, each with the first value that it does not complain about.
async function required(door: Door, { beginning, options }: Found): Promise<Record<string, unknown>> {
  const base: Record<string, unknown> = {};
  const said = async (more: object) =>
    (await caller.outcome(door, [...beginning(), { ...base, ...more }])).sentence ?? "";
  const asks = (sentence: string) =>
    options.find((name) => base[name] === undefined && new RegExp(`\\b${name}\\b`).test(sentence));
  for (let wanted = asks(await said({})); wanted !== undefined; wanted = asks(await said({}))) {
    for (const value of likely()) {
      if (base[wanted] === undefined && asks(await said({ [wanted]: value })) !== wanted) base[wanted] = value;
    }
    if (base[wanted] === undefined) break;
  }
  return base;
}

it("a wrong option is answered by a sentence", { timeout: 240_000 }, async () => {
  const found: string[] = [];
  const unread: string[] = [];
  let tried = 0;
  for (const door of [...doors(athanor), ...methods()]) {
    const takes = await optionsOf(door);
    if (takes === undefined) continue;
    const base = await required(door, takes);
    tried += takes.options.length;
    for (const option of takes.options) {
      // What is taken whatever it is, is not looked at.
      let refused = false;
      for (const value of anything) {
        const { sentence, strange } = await caller.outcome(door, [...takes.beginning(), { ...base, [option]: value }]);
        refused ||= sentence !== undefined || strange !== undefined;
      }
      if (!refused) unread.push(`${door[0]}: ${option}`);
      for (const value of wrong) {
        const { strange } = await caller.outcome(door, [...takes.beginning(), { ...base, [option]: value }]);
        if (strange === undefined) continue;
        found.push(`${option}: ${String(value)}: ${strange}`);
        break;
      }
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 100)); // for what is thrown later
  expect(tried).toBeGreaterThan(500);
  expect(found).toEqual([]);
  expect(unread).toEqual([]);
  expect(caller.later).toEqual([]);
});
