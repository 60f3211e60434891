// Whatever a public function is called with, it answers with a result or with a sentence of this package, never with a TypeError from
// somewhere inside, and never by ending the process later.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as athanor from "../../lib/index.js";

const { array, data, nn, optim } = athanor;
const model = () => nn.sequential(nn.linear(2, 3), nn.relu());
const samples = () => data.fromArrays({ x: array([1, 2, 3, 4], [2, 2]), y: array(Int32Array.of(0, 1), [2]) });

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

/** Functions that say what they are to the engine or the machine: they have tests of their own. */
const apart = new Set(["setThreads", "parallel.connect"]);

type Door = readonly [name: string, call: (...args: unknown[]) => unknown];

/** Every function that the package offers, by the name under which a program calls it. */
function* doors(holder: object, path = ""): Generator<Door> {
  for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
    const name = path === "" ? key : `${path}.${key}`;
    if (apart.has(name)) continue;
    const isClass = typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
    if (typeof value === "function" && !isClass) yield [name, value as Door[1]];
    const isNamespace = Object.prototype.toString.call(value) === "[object Module]" || (typeof value === "function" && !isClass); // prettier-ignore
    if (isNamespace && path.split(".").length < 3) yield* doors(value as object, name);
  }
}

const before = process.cwd();
let dir: string;
const later: string[] = [];
let current = "";
const note = (thrown: unknown) => void later.push(`${current}: ${String(thrown)}`);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "misuse-"));
  process.chdir(dir); // what is taken for a path is one in here
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
});
afterAll(() => {
  process.off("uncaughtException", note);
  process.off("unhandledRejection", note);
  process.chdir(before);
  rmSync(dir, { recursive: true, force: true });
});

/** What came of a call that is not a result or an error of the package. */
async function strange([name, call]: Door, args: readonly unknown[]): Promise<string | undefined> {
  current = name;
  try {
    await call(...args);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof athanor.AthanorError) return undefined;
    const shown = JSON.stringify(args, (_, value: unknown) => (typeof value === "function" ? "function" : value));
    return `${name}(${shown.slice(1, -1)}): ${String(thrown).slice(0, 160)}`;
  }
}

it("misuse is answered by a sentence", { timeout: 120_000 }, async () => {
  const all = [...doors(athanor)];
  expect(all.length).toBeGreaterThan(250);
  const found: string[] = [];
  for (const door of all) {
    for (const args of wrong) {
      const what = await strange(door, args);
      if (what === undefined) continue;
      found.push(what);
      break;
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 100)); // for what is thrown later
  expect(found).toEqual([]);
  expect(later).toEqual([]);
});
