// The emulated device, where it is built: `npm test` builds it, with g++ alone.
import { device } from "../../lib/index.js";
import { addon } from "../../lib/native/index.js";

const found = device.list().find(({ name }) => name === "cuda-emulated")!;

/** Whether the tests of devices can run. */
export const built = found.available;
if (!built) console.log(`skipped the tests of devices: ${found.why}`);

/** Its name. */
export const emulated = "cuda-emulated";

/** What `body` asked of the plugin. */
export async function callsOf(body: () => unknown): Promise<ReturnType<typeof addon.deviceCalls>> {
  const before = addon.deviceCalls(emulated);
  await body();
  const after = addon.deviceCalls(emulated);
  return {
    calls: after.calls - before.calls,
    launches: after.launches - before.launches,
    copies: after.copies - before.copies,
    waits: after.waits - before.waits,
  };
}

/** Runs `body` with an environment variable of the engine set. */
export async function withEnvironment<T>(name: string, value: string, body: () => Promise<T>): Promise<T> {
  const before = process.env[name];
  process.env[name] = value;
  try {
    return await body();
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  }
}
