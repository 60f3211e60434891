// Devices that are there and devices that are not: each with a sentence, and nothing opened before it is asked for.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { array, compile, device, DeviceError, nn, train, loss, optim, type Tensor } from "../../lib/index.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a fresh process prints. */
function fresh(code: string, environment: Record<string, string> = {}): string {
  return execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", code], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
}

const listing = (environment: Record<string, string>): device.DeviceInfo[] =>
  JSON.parse(
    fresh(`import { device } from "./lib/index.ts"; console.log(JSON.stringify(device.list()));`, environment),
  ) as device.DeviceInfo[];

const named = (devices: readonly device.DeviceInfo[], name: string) => devices.find((entry) => entry.name === name)!;

describe("device.list", () => {
  it("has the CPU first, then every kind, which is there or says why it is not", () => {
    const devices = device.list();
    expect(devices[0]).toMatchObject({ name: "cpu", available: true, why: "" });
    for (const kind of ["cuda:0", "cuda-emulated"]) {
      const { available, why, detail } = named(devices, kind);
      expect(why === "").toBe(available);
      expect(detail === "").toBe(!available);
    }
  });

  it("says of a file that is not there, is no library, or no plugin, which it is and what would be", () => {
    const missing = named(listing({ ATHANOR_CUDA_PLUGIN: "/nowhere/athanor_cuda.so" }), "cuda:0");
    expect(missing).toMatchObject({ available: false });
    expect(missing.why).toMatch(/^cuda: the plugin cannot be opened: .*nowhere.* \(ATHANOR_CUDA_PLUGIN\)$/);
    const text = named(listing({ ATHANOR_CUDA_PLUGIN: `${root}/package.json` }), "cuda:0");
    expect(text.why).toMatch(/cannot be opened: .*package\.json/);
    const other = named(listing({ ATHANOR_CUDA_PLUGIN: `${root}/build/Release/athanor.node` }), "cuda:0");
    expect(other.why).toMatch(/athanor\.node" is not a device plugin of Athanor/);
  });

  it("opens nothing when the package is imported", () => {
    const maps = `import "./lib/index.ts"; import { readFileSync } from "node:fs";
      console.log(readFileSync("/proc/self/maps", "utf8").includes("athanor_cuda"));`;
    if (process.platform === "linux") expect(fresh(maps).trim()).toBe("false");
  });
});

describe("a device by name", () => {
  it("that means nothing is refused by whoever takes one", async () => {
    const x = array([1, 2], [1, 2]);
    const wrong = "gpu" as "cuda";
    expect(() => compile((a: Tensor) => a.add(1), { device: wrong }).runSync(x)).toThrow(
      /^compile: device must be "cpu", "cuda", .*, got "gpu"/,
    );
    await expect(train.predict(nn.linear(2, 1), x, { device: wrong })).rejects.toThrow(
      /^train.predict: device must be/,
    );
    expect(() =>
      train.fit(
        nn.linear(2, 1),
        { x, y: array([1], [1, 1]) },
        {
          loss: loss.mse(),
          optimizer: optim.sgd({ lr: 0.1 }),
          device: wrong,
        },
      ),
    ).toThrow(/^train.fit: device must be/);
  });

  it("that is not there rejects with the reason and the CPU as a way out", () => {
    const there = named(device.list(), "cuda:0").available;
    if (there) return;
    const f = compile((a: Tensor) => a.add(1), { device: "cuda" });
    expect(() => f.runSync(array([1], [1]))).toThrow(DeviceError);
    expect(() => f.runSync(array([1], [1]))).toThrow(/^cuda: .*; or run on device "cpu"$/);
    expect(() => device.cuda(0)).toThrow(DeviceError);
    expect(() => device.cuda(-1)).toThrow(/device.cuda: expected the number of a GPU/);
  });

  it("can be the CPU", () => {
    const f = compile((a: Tensor) => a.add(1), { device: device.cpu() });
    expect(f.runSync(array([1, 2], [2])).data).toEqual(Float32Array.of(2, 3));
    expect(String(device.cpu())).toBe("cpu");
    expect(device.cpu().memory.allocated).toBeGreaterThanOrEqual(0);
  });
});
