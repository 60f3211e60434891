// Models timed in turns.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, artifact, nn, report } from "athanor";

const x = array(Float32Array.from({ length: 64 * 16 }, (_, i) => Math.sin(i)), [64, 16]); // prettier-ignore
let folder: string;
let small: artifact.LoadedModel;
let large: artifact.LoadedModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "speed-"));
  const save = async (name: string, width: number) => {
    const layers = nn.sequential(nn.linear(16, width), nn.relu(), nn.linear(width, width), nn.relu(), nn.linear(width, 4)); // prettier-ignore
    await artifact.save(layers, join(folder, name), { input: { dtype: "f32", shape: [16] } });
    return artifact.load(join(folder, name));
  };
  [small, large] = [await save("small", 8), await save("large", 1024)];
});
afterAll(async () => {
  small.dispose();
  large.dispose();
  await rm(folder, { recursive: true });
});

describe("compareSpeed", () => {
  it("gives every model a spread and a ratio to the reference, whose own is exactly 1", async () => {
    const speeds = await report.compareSpeed([{ name: "small", model: small, x }, { name: "large", model: large, x }], { rounds: 10, reference: "large", batch: 64 }); // prettier-ignore
    for (const { latencyMicros, samplesPerSecond, speedup, rounds } of speeds.values()) {
      expect(rounds).toBe(10);
      for (const { median, p10, p90 } of [latencyMicros, samplesPerSecond, speedup.latency, speedup.throughput]) {
        expect(p10).toBeGreaterThan(0);
        expect(median).toBeGreaterThanOrEqual(p10);
        expect(p90).toBeGreaterThanOrEqual(median);
      }
    }
    const one = { median: 1, p10: 1, p90: 1 };
    expect(speeds.get("large")!.speedup).toEqual({ latency: one, throughput: one });
    expect(speeds.get("small")!.speedup.latency.median).toBeGreaterThan(1); // a hundredth of the work
  });

  it.each([
    [() => report.compareSpeed([]), /expected at least one model, got none/],
    [() => report.compareSpeed([{ name: "a", model: small, x }, { name: "a", model: large, x }]), /a name of its own for every model, got a, a/],
    [() => report.compareSpeed([{ name: "a", model: small, x }], { reference: "b" }), /the reference "b" is not among the models; there are a/],
    [() => report.compareSpeed([{ name: "a", model: small, x: array(new Float32Array(0), [0, 16]) }]), /at least one sample for "a"/],
    [() => report.compareSpeed([{ name: "a", model: small, x }], { rounds: 0 }), /rounds must be a whole number from 1 on, got 0/],
  ])("refuses what it cannot compare (%#)", async (call, message) => {
    await expect(call()).rejects.toThrow(message);
  }); // prettier-ignore

  it("ends when told to", async () => {
    const signal = AbortSignal.abort();
    await expect(report.compareSpeed([{ name: "a", model: small, x }], { signal })).rejects.toMatchObject({ name: "AbortError" }); // prettier-ignore
  });
});
