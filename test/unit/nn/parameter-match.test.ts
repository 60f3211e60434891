// Every option that names parameters takes a name, a pattern, a function or a list of these; a name that means nothing is an error
// with the names that there are.
import { describe, expect, it } from "vitest";
import { array, nn, optim, prune, quantize, seed } from "../../../lib/index.js";

type ParameterMatches = nn.ParameterMatches;

const model = () => {
  seed(1);
  return nn.sequential(nn.linear(8, 8), nn.relu(), nn.linear(8, 8), nn.relu(), nn.linear(8, 4));
};
const calibrate = array(Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)), [8, 8]); // prettier-ignore
const input = { dtype: "f32", shape: [8] } as const;

const formed = (m: nn.Module) => m.namedWeights().flatMap(({ name, parameter }) => (parameter.parametrization ? [name] : [])); // prettier-ignore
const masked = (m: nn.Module) => m.namedWeights().flatMap(({ name, parameter }) => (parameter.mask ? [name] : [])); // prettier-ignore

/** Options by what they leave out of "0.weight", "2.weight" and "4.weight". */
const keeps: Record<string, (keep: ParameterMatches) => Promise<string[]>> = {
  "quantize keep": async (keep) => formed(await quantize(model(), quantize.int8(), { keep })),
  "quantize.prepare keep": async (keep) => formed(await quantize.prepare(model(), quantize.int8(), { keep })),
  "quantize.search keep": async (keep) => {
    const found = await quantize.search(model(), { schemes: [quantize.int8()], calibrate, bytes: 1e6, keep });
    return found.choices.map(({ name }) => name);
  },
  "prune keep": async (keep) => masked(await prune(model(), { amount: 0.5, keep })),
};
const matches: Record<string, (match: ParameterMatches) => Promise<string[]> | string[]> = {
  "quantize match": async (match) => formed(await quantize(model(), quantize.int8(), { match })),
  "prune match": async (match) => masked(await prune(model(), { amount: 0.5, match })),
  freeze: (match) => {
    const frozen = model().freeze(match).namedParameters();
    return frozen.flatMap(({ name, parameter }) => (parameter.trainable ? [] : [name]));
  },
  "optim groups": (match) => {
    const named = model().namedParameters();
    using bound = optim.bind(optim.sgd({ lr: 0.1, groups: [{ match, lr: 0.2 }] }), named);
    const { groups } = bound as unknown as { groups: { hyper: { lr?: number }; members: nn.NamedParameter[] }[] };
    return groups.find(({ hyper }) => hyper.lr === 0.2)!.members.map(({ name }) => name);
  },
};

const twoOfThree: Record<string, ParameterMatches> = {
  "names of layers": ["0", "2"],
  "names of parameters": ["0.weight", "2.weight"],
  "a pattern": /^[02]\.weight$/,
  "a pattern and a name": [/^0\.weight$/, "2.weight"],
  "a function": (name) => name === "0.weight" || name === "2.weight",
  "functions and names": ["0.weight", (name: string) => name === "2.weight"],
};

describe("lists of names", () => {
  for (const [what, given] of Object.entries(twoOfThree)) {
    for (const [option, left] of Object.entries(keeps)) {
      it(`${option}: ${what}`, async () => expect(await left(given)).toEqual(["4.weight"]));
    }
    for (const [option, picked] of Object.entries(matches)) {
      it(`${option}: ${what}`, async () => {
        const weights = what === "names of layers" ? /^[02]\.(weight|bias)$/ : /^[02]\.weight$/;
        const got = await (option.startsWith("quantize") || option.startsWith("prune")
          ? picked(what === "names of layers" ? ["0.weight", "2.weight"] : given)
          : picked(given));
        expect(got.every((name) => weights.test(name))).toBe(true);
        expect(got.filter((name) => name.endsWith("weight"))).toEqual(["0.weight", "2.weight"]);
      });
    }
  }

  it("structured pruning takes them", () => {
    const plan = prune.plan(model(), { structured: "neurons", amount: 0.5, input, keep: ["0", "4.bias"] });
    expect(plan.cuts.map(({ name }) => name)).not.toContain("0.weight");
  });
});

describe("names that mean nothing", () => {
  const all: Record<string, (given: ParameterMatches) => unknown> = {
    ...keeps,
    ...matches,
    unfreeze: (match) => model().unfreeze(match),
    "structured keep": (keep) => prune.plan(model(), { structured: "neurons", amount: 0.5, input, keep }),
    "structured match": (match) => prune.plan(model(), { structured: "neurons", amount: 0.5, input, match }),
  };
  for (const [option, attempt] of Object.entries(all)) {
    it(`${option}: the error lists the names`, async () => {
      for (const [given, shown] of [
        [["0", "9.weight"], '"9.weight"'],
        [[/^0/, /head/], "/head/"],
        ["encoder", '"encoder"'],
      ] as const) {
        const thrown = await Promise.resolve(given)
          .then(attempt)
          .catch((error: unknown) => error);
        expect((thrown as Error).message).toContain(`names no parameter ${shown}`);
        for (const name of ["0.weight", "2.weight", "4.bias"]) expect((thrown as Error).message).toContain(`"${name}"`);
      }
    });

    it(`${option}: what is no name is refused`, async () => {
      for (const given of [3, null, [undefined], [["0"]]]) {
        const thrown = await Promise.resolve(given as never)
          .then(attempt)
          .catch((error: unknown) => error);
        expect((thrown as Error).message).toMatch(/takes a name such as "0\.weight"/);
      }
    });
  }
});
