// Everything of the package that a program can call, for tests that call it with what does not belong there.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import * as athanor from "../../lib/index.js";

const { array, compile, data, loss, nn, ops, optim, schedule, train } = athanor;

export const model = () => nn.sequential(nn.linear(2, 3), nn.relu());
export const samples = () => data.fromArrays({ x: x22(), y: array(Int32Array.of(0, 1), [2]) });
export const x22 = () => array([1, 2, 3, 4], [2, 2]);

/** Functions that say what they are to the engine or the machine: they have tests of their own. */
const apart = new Set(["setThreads", "parallel.connect"]);

export type Door = readonly [name: string, call: (...args: unknown[]) => unknown];

/** Every function that the package offers, by the name under which a program calls it. */
export function* doors(holder: object, path = ""): Generator<Door> {
  for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
    const name = path === "" ? key : `${path}.${key}`;
    if (apart.has(name)) continue;
    const isClass = typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
    if (typeof value === "function" && !isClass) yield [name, value as Door[1]];
    const isNamespace = Object.prototype.toString.call(value) === "[object Module]" || (typeof value === "function" && !isClass); // prettier-ignore
    if (isNamespace && path.split(".").length < 3) yield* doors(value as object, name);
  }
}

const trainStep = () => {
  const made = model();
  return train.step(made, optim.sgd({ lr: 0.1 }), ({ x, y }: { x: athanor.Tensor; y: athanor.Tensor }) =>
    loss.crossEntropy()(made.forward(x), y),
  );
};

// Objects that programs hold, with those of their methods that are not for programs.
const objects: Readonly<Record<string, { make: () => object; but?: readonly string[] }>> = {
  model: { make: model },
  linear: { make: () => nn.linear(2, 3), but: ["hint"] },
  conv: { make: () => nn.conv2d(1, 2, { kernel: 3 }) },
  attention: { make: () => nn.attention({ dim: 4, heads: 2 }), but: ["withHeadsApart"] },
  array: { make: x22 },
  set: { make: samples, but: ["part"] },
  optimizer: { make: () => optim.adam({ lr: 0.1 }) },
  trainStep: { make: trainStep, but: ["split", "entry", "feeds", "unpack", "leaves", "metrics", "body"] },
  compiled: {
    make: () => compile((x: athanor.Tensor) => ops.elu(x)),
    but: ["f", "split", "entry", "feeds", "unpack", "leaves"],
  },
  schedule: { make: () => schedule.cosine({ peak: 1, steps: 10 }), but: ["apply", "call", "bind"] },
};

/** The methods of objects of the package. */
export function* methods(): Generator<Door> {
  for (const [kind, { make, but = [] }] of Object.entries(objects)) {
    const names = new Set<string>();
    let holder: object | null = make();
    for (; holder && holder !== Object.prototype; holder = Object.getPrototypeOf(holder) as object | null)
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(holder)))
        if (typeof value === "function" && name !== "constructor" && !but.includes(name)) names.add(name);
    for (const name of names)
      yield [`${kind}.${name}`, (...args) => (make() as Record<string, Door[1]>)[name]!(...args)];
  }
}

const shown = (args: readonly unknown[]): string =>
  JSON.stringify(args, (_, value: unknown) =>
    typeof value === "function" ? "a function" : typeof value === "number" ? String(value) : value,
  );

/** Calls in a folder of their own; what is thrown later is noted. */
export class Caller {
  /** What was thrown after a call had ended, by the call that was the last one then. */
  readonly later: string[] = [];
  private current = "";

  constructor() {
    const before = process.cwd();
    let dir: string;
    const note = (thrown: unknown) => void this.later.push(`${this.current}: ${String(thrown)}`);
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
  }

  /** What came of a call: nothing, a sentence of the package, or something strange. */
  async outcome([name, call]: Door, args: readonly unknown[]): Promise<{ sentence?: string; strange?: string }> {
    this.current = name;
    try {
      // A search or a training that began is not waited for.
      await Promise.race([call(...args), new Promise((resolve) => setTimeout(resolve, 150).unref())]);
      return {};
    } catch (thrown) {
      if (thrown instanceof athanor.AthanorError) return { sentence: thrown.message };
      return { strange: `${name}(${shown(args).slice(1, 200)}): ${String(thrown).slice(0, 160)}` };
    }
  }
}
