// Damaged artifacts of all kinds: `npm run test:fuzz` tries 20,000.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { damage } from "./damage.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-damage-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("an artifact with damage of any kind", () => {
  it("is refused as damaged, by the name of the file", async () => {
    const result = await damage({ folder, count: 1500, seed: 11 });
    expect(result.wrong).toEqual([]);
    expect(Object.keys(result.found)).toHaveLength(12);
  });
});
