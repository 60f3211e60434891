// Everything that can be disposed says so when it is used afterwards, whatever it is asked for; and disposing twice is fine.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as athanor from "../../../lib/index.js";
import { artifact, array, compile, DisposedError, loss, nn, optim, prune, quantize, train, type Parameter, type Program, type Tensor } from "../../../lib/index.js"; // prettier-ignore
import { bind, type BoundOptimizer } from "../../../lib/optim/index.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-disposed-"));
  await artifact.save(nn.linear(2, 2), join(folder, "model"), { input: { dtype: "f32", shape: [2] } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const x = array([1, 2, 3, 4], [2, 2]);
const y = array([1, 0], [2]);
const z = array([1, 0, 0, 1], [2, 2]);
const labels = array(Int32Array.of(0, 1), [2]);
const mse = loss.mse();
const input = { dtype: "f32", shape: [2] } as const;

const takenStep = () => {
  const net = nn.linear(2, 2);
  return train.step(net, optim.adam(), (batch) => mse(net.forward(batch.x), batch.y));
};
type Step = ReturnType<typeof takenStep>;
type Compiled = ReturnType<typeof compile<[Tensor], Tensor>>;
type LoadedModel = artifact.LoadedModel;
type Use<T> = readonly [string, (thing: T) => unknown];
interface Kind<T extends { dispose(): void }> {
  readonly make: () => T | Promise<T>;
  readonly uses: readonly Use<T>[];
}
const kind = <T extends { dispose(): void }>(make: Kind<T>["make"], uses: readonly Use<T>[]): Kind<never> => ({ make, uses }) as unknown as Kind<never>; // prettier-ignore

const modelUses: readonly Use<nn.Module>[] = [
  ["compiled", (model) => compile((t: Tensor) => model.forward(t)).runSync(x)],
  ["predict", (model) => train.predict(model, x)],
  ["evaluate", (model) => train.evaluate(model, { x, y: z }, { loss: mse })],
  ["fit", (model) => train.fit(model, { x, y: z }, { loss: mse, optimizer: optim.sgd() })],
  ["step", (model) => train.step(model, optim.sgd(), (b) => mse(model.forward(b.x), b.y)).run({ x, y: z })],
  ["clone", (model) => model.clone()],
  ["save", (model) => artifact.save(model, join(folder, "again"), { input })],
  ["prune", (model) => prune(model, { amount: 0.5 })],
  ["quantize", (model) => quantize(model, quantize.int8())],
  ["values", (model) => model.parameters()[0]!.readSync()],
];

const kinds: Record<string, Kind<never>> = {
  Module: kind<nn.Module>(() => nn.sequential(nn.linear(2, 2)), modelUses),
  SavedModel: kind<nn.Module>(() => artifact.loadModel(join(folder, "model")), modelUses),
  LoadedModel: kind<LoadedModel>(
    () => artifact.load(join(folder, "model")),
    [
      ["predict", (served) => served.predict(x)],
      ["predictSync", (served) => served.predictSync(x)],
      ["predict of another size", (served) => served.predict(array([1, 2], [1, 2]))],
      ["classify", (served) => served.classify(x)],
      ["readWeight", (served) => served.readWeight("weight")],
      ["weights", (served) => served.weights],
    ],
  ),
  Parameter: kind<Parameter>(
    () => nn.linear(2, 2).parameters()[0]!,
    [
      ["read", (parameter) => parameter.read()],
      ["readSync", (parameter) => parameter.readSync()],
      ["write", (parameter) => parameter.write(x)],
      ["traced", (parameter) => compile((t: Tensor) => t.matmul(parameter)).runSync(x)],
    ],
  ),
  Compiled: kind<Compiled>(() => {
    const f = compile((t: Tensor) => t.relu());
    f.runSync(x);
    return f;
  }, [
    ["run", (f) => f.run(x)],
    ["runSync", (f) => f.runSync(x)],
    ["another size", (f) => f.runSync(array([1], [1]))],
    ["explain", (f) => f.explain(x)],
    ["dot", (f) => f.dot(x)],
    ["passes", (f) => f.passes(x)],
    ["program", (f) => f.program(x)],
  ]),
  Program: kind<Program>(
    () => compile((t: Tensor) => t.relu()).program(x),
    [
      ["run", (program) => program.run({ 0: x })],
      ["runSync", (program) => program.runSync({ 0: x })],
      ["report", (program) => program.report()],
    ],
  ),
  TrainStep: kind<Step>(async () => {
    const step = takenStep();
    await step.run({ x, y: z });
    return step;
  }, [
    ["run", (step) => step.run({ x, y: z })],
    ["over", (step) => step.over([{ x, y: z }]).next()],
  ]),
  BoundOptimizer: kind<BoundOptimizer>(
    () => bind(optim.adam(), nn.linear(2, 2).assignNames().namedParameters()),
    [
      ["steps", (bound) => bound.steps],
      ["stateDict", (bound) => bound.stateDict()],
      ["step", (bound) => train.step(nn.linear(2, 2), bound, (b) => b.x.mean()).run({ x, y })],
    ],
  ),
};

describe.each(Object.keys(kinds))("after dispose, %s", (name) => {
  const { make, uses } = kinds[name]! as unknown as Kind<{ dispose(): void }>;
  it.each(uses.map(([what, use]) => [what, use] as const))("says so: %s", async (_, use) => {
    const thing = await make();
    thing.dispose();
    thing.dispose();
    await expect(Promise.resolve().then(() => use(thing))).rejects.toBeInstanceOf(DisposedError);
    thing.dispose();
  });

  it("works until then", async () => {
    const thing = await make();
    for (const [what, use] of uses.slice(0, 2)) {
      if (name !== "Parameter" || what !== "write") await use(thing);
    }
    thing.dispose();
  });
});

describe("what is exported", () => {
  it("has a kind above for each class that can be disposed", () => {
    const spaces = [athanor, athanor.nn, athanor.artifact, athanor.train, athanor.data, athanor.optim, athanor.distill];
    const classes = new Set<string>();
    for (const space of spaces) {
      for (const value of Object.values(space) as unknown[]) {
        const proto = typeof value === "function" ? (value as { prototype?: object }).prototype : undefined;
        if (proto && "dispose" in proto) classes.add((value as { name: string }).name);
      }
    }
    const known = new Set(Object.keys(kinds));
    const layers = [...classes].filter((name) => !known.has(name) && !(name in athanor.nn));
    expect(layers).toEqual([]);
    for (const found of ["Compiled", "Program", "Parameter", "LoadedModel", "SavedModel", "TrainStep"]) expect(classes).toContain(found); // prettier-ignore
  });

  it("a data set, which holds no memory of the engine, is used after all that trained on it is gone", async () => {
    const set = athanor.data.fromArrays({ x, y: labels });
    expect("dispose" in set).toBe(false);
    for (let i = 0; i < 2; i++) {
      using model = nn.linear(2, 2);
      await train.fit(model, set, { loss: loss.crossEntropy(), optimizer: optim.sgd() });
    }
    expect([...set.x.data]).toEqual([1, 2, 3, 4]);
    expect(y.shape).toEqual([2]);
  });
});
