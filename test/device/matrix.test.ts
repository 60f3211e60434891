// The spec matrix on the emulated device, the smallest samples of every operation: enough to meet every kernel. All samples, views,
// gradients and sentences, in three orders of threads and both of blocks: npm run test:device.
import { describe, expect, it } from "vitest";
import { UnsupportedOpError } from "../../lib/index.js";
import { adopt } from "../../lib/errors.js";
import type { OpName } from "../../lib/native/operations.js";
import { settingsOf } from "../ops/engine.js";
import { checkSample } from "../ops/parity.js";
import type { Sample } from "../ops/spec.js";
import { specs } from "../ops/specs/index.js";
import { countOf } from "../ops/value.js";
import { built, emulated } from "./emulated.js";
import { withoutKernel } from "./without-kernel.js";

const settings = settingsOf(emulated);
const SAMPLES = 4; // the smallest that have elements, and one that has none
const size = ({ inputs }: Sample): number => inputs.reduce((sum, { shape }) => sum + countOf(shape), 0);

function chosen(samples: readonly Sample[]): readonly Sample[] {
  const sorted = [...samples].sort((a, b) => size(a) - size(b));
  return [
    ...sorted.filter((sample) => size(sample) === 0).slice(0, 1),
    ...sorted.filter((sample) => size(sample) > 0).slice(0, SAMPLES),
  ];
}

function thrownBy(body: () => void): unknown {
  try {
    body();
  } catch (thrown) {
    return adopt(thrown);
  }
  return undefined;
}

function throwIfAny(thrown: unknown): void {
  if (thrown !== undefined) throw thrown instanceof Error ? thrown : new Error("not an error was thrown");
}

describe.skipIf(!built)("on the emulated device", () => {
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.kind === "elsewhere") continue;
    const op = name as OpName;
    it(`${op} matches the float64 reference${withoutKernel.has(op) ? ", or is refused when it is compiled" : ""}`, () => {
      for (const sample of chosen(spec.samples())) {
        const thrown = thrownBy(() => checkSample(op, spec, sample, settings));
        if (!(thrown instanceof UnsupportedOpError && withoutKernel.has(op))) throwIfAny(thrown);
        else expect(thrown).toMatchObject({ op, device: emulated });
      }
    });
  }
});
