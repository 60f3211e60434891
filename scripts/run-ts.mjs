// Builds what is not fresh and runs a TypeScript program of this repository against dist/, as an installed package would be:
//   node scripts/run-ts.mjs examples/digits/main.ts [arguments]
import { spawnSync } from "node:child_process";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";

chdir(fileURLToPath(new URL("..", import.meta.url)));
// tsconfig.json leads "athanor" to lib/ for editors and type checks; tsx must not follow it there.
const env = { ...process.env, TSX_TSCONFIG_PATH: "tsconfig.run.json" };
const node = (...args) => spawnSync(process.execPath, args, { stdio: "inherit", env }).status ?? 1;
exit(
  node("scripts/install.mjs", "--quiet") ||
    node("scripts/build.mjs") ||
    node("--import", "tsx", ...process.argv.slice(2)),
);
