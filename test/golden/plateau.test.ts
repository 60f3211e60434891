import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Plateau, type PlateauOptions } from "../../lib/train/run/plateau.js";

interface Case {
  readonly name: string;
  readonly values: string;
  readonly options: Omit<PlateauOptions, "monitor">;
  readonly rates: string;
}

const { cases } = JSON.parse(readFileSync(new URL("data/plateau.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
};
const numbers = (text: string) =>
  text.split(" ").map((word) => Number(word.replace("inf", "Infinity").replace("nan", "NaN")));

describe("rates on a plateau follow torch.optim.lr_scheduler.ReduceLROnPlateau", () => {
  it.each(cases.map((each) => [each.name, each] as const))("%s", (_, { values, options, rates }) => {
    const plateau = new Plateau("test", { monitor: "val.loss", ...options }, new Map([["val.loss", "lower"]]));
    const seen = numbers(values).map((value) => {
      plateau.observe({ "val.loss": value });
      return plateau.scale;
    });
    expect(seen).toEqual(numbers(rates));
  });

  it("goes on from its state, wherever that was taken", () => {
    const { values, options } = cases[7]!;
    const make = () => new Plateau("test", { monitor: "loss", ...options }, new Map([["loss", "lower"]]));
    const whole = make();
    const scales = numbers(values).map((value) => (whole.observe({ loss: value }), whole.scale));
    for (let at = 0; at < scales.length; at++) {
      const [before, after] = [make(), make()];
      for (const value of numbers(values).slice(0, at)) before.observe({ loss: value });
      after.participant().restore!(JSON.parse(JSON.stringify(before.participant().state!())) as never);
      const rest = numbers(values).slice(at).map((value) => (after.observe({ loss: value }), after.scale)); // prettier-ignore
      expect(rest).toEqual(scales.slice(at));
    }
  });
});
