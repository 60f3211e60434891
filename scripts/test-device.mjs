// npm run test:device: the spec matrix, gradients and golden trajectories on the emulated device, in three orders of a block's threads and
// both orders of blocks. Arguments go to vitest; ATHANOR_TEST_DEVICE names another device.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";

chdir(fileURLToPath(new URL("..", import.meta.url)));
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const device = process.env.ATHANOR_TEST_DEVICE ?? "cuda-emulated";
const node = (args, settings = {}) =>
  spawnSync(process.execPath, args, { stdio: "inherit", env: { ...process.env, ...settings } }).status ?? 1;
if (device === "cuda-emulated" && node(["scripts/cuda/build.mjs", "--emulated"]) !== 0) exit(1);

const orders =
  device === "cuda-emulated"
    ? [
        { ATHANOR_EMULATOR_ORDER: "forward" },
        { ATHANOR_EMULATOR_ORDER: "reverse", ATHANOR_EMULATOR_BLOCKS: "reverse" },
        { ATHANOR_EMULATOR_ORDER: "seed:1" },
      ]
    : [{}];
const files = process.argv.length > 2 ? process.argv.slice(2) : ["test/ops", "test/device"];
let status = 0;
for (const order of orders) {
  console.log(`\n${device} ${Object.values(order).join(", ")}`);
  status ||= node([vitest, "run", "--testTimeout=600000", ...files], { ATHANOR_TEST_DEVICE: device, ...order });
}
exit(status);
