import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EarlyStopping } from "../../lib/train/run/early-stopping.js";

interface Case {
  readonly name: string;
  readonly values: string;
  readonly options: {
    readonly mode: "min" | "max";
    readonly patience: number;
    readonly minDelta: number;
    readonly baseline?: number;
    readonly startFrom: number;
  };
  readonly stopped: number;
  readonly restored: number;
}

const { cases } = JSON.parse(readFileSync(new URL("data/early-stopping.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
};

describe("early stopping follows keras.callbacks.EarlyStopping", () => {
  it.each(cases.map((each) => [each.name, each] as const))("%s", (_, { values, options, stopped, restored }) => {
    const monitors = new Map([["val.loss", "lower"]] as const);
    const stopping = new EarlyStopping("test", { monitor: "val.loss", ...options }, monitors);
    const seen = { stopped: -1, restored: -1 };
    for (const [i, text] of values.split(" ").entries()) {
      const value = Number(text.replace("inf", "Infinity").replace("nan", "NaN"));
      const { isBest, stop } = stopping.observe(value);
      if (isBest) seen.restored = i;
      if (stop && seen.stopped < 0) seen.stopped = i;
      if (stop) break;
    }
    expect(seen).toEqual({ stopped, restored });
  });
});
