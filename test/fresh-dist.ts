// Before the first test: dist/ holds the sources of now, for the programs that tests start (vitest.config.ts).
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export default function freshDist(): void {
  const script = fileURLToPath(new URL("../scripts/build.mjs", import.meta.url));
  execFileSync(process.execPath, [script, "--without-types"], { stdio: "inherit" });
}
