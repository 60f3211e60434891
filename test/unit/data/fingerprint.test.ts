// The fingerprint of samples: another one for any other byte, type or shape; the same for the same values, wherever they lie.
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { fingerprint } from "../../../lib/data/fingerprint.js";
import { array, type NdArray } from "../../../lib/index.js";

const mib = 2 ** 20;
const bytes = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i * 31 + (i >> 8) * 7) & 255);
const of = (x: NdArray) => fingerprint("here", x);

it.each([0, 1, 1000, mib - 1, mib, mib + 1, 5 * mib + 17])(
  "is the hash of the hashes of every MiB, of %d bytes",
  async (count) => {
    const values = bytes(count);
    const whole = createHash("sha256").update(`u8 ${count} `);
    for (let at = 0; at < count; at += mib)
      whole.update(
        createHash("sha256")
          .update(values.subarray(at, at + mib))
          .digest(),
      );
    expect(await of(array(values, [count]))).toBe(whole.digest("hex"));
  },
);

it("is another one for any other byte, shape and type, and the same for a view or shared memory", async () => {
  const values = bytes(3 * mib);
  const own = await of(array(values, [3, mib]));
  for (const at of [0, mib - 1, mib, 3 * mib - 1]) {
    const changed = values.slice();
    changed[at]! ^= 1;
    expect(await of(array(changed, [3, mib]))).not.toBe(own);
  }
  expect(await of(array(values, [mib, 3]))).not.toBe(own);
  expect(await of(array(new Int32Array(values.buffer), [3, mib / 4]))).not.toBe(own);
  const around = new Uint8Array(3 * mib + 9);
  around.set(values, 5);
  expect(await of(array(around.subarray(5, 5 + 3 * mib), [3, mib]))).toBe(own);
  const shared = new Uint8Array(new SharedArrayBuffer(3 * mib));
  shared.set(values);
  expect(await of(array(shared, [3, mib]))).toBe(own);
});

it("ends with the signal", async () => {
  await expect(fingerprint("here", array(bytes(9 * mib)), AbortSignal.abort())).rejects.toThrow(/here: aborted/);
});
