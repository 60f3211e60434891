// Checks (or with --write makes) the layout of the sources: prettier for TypeScript, JavaScript and JSON, clang-format for C++.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./files-below.mjs";

const require = createRequire(import.meta.url);
chdir(fileURLToPath(new URL("..", import.meta.url)));
const write = process.argv.includes("--write");
const run = (script, args) => spawnSync(process.execPath, [script, ...args], { stdio: "inherit" }).status ?? 1;

const prettier = join(dirname(require.resolve("prettier/package.json")), "bin", "prettier.cjs");
const clangFormat = join(
  dirname(require.resolve("clang-format-node/package.json")),
  require("clang-format-node/package.json").bin["clang-format"],
);
const cxx = ["native", "cuda", "bench"].flatMap((folder) =>
  filesBelow(folder, (path) => /\.(h|cc|cu|cuh)$/.test(path)),
);

const statuses = [
  run(prettier, [write ? "--write" : "--check", "--log-level", write ? "error" : "warn", "."]),
  cxx.length ? run(clangFormat, write ? ["-i", ...cxx] : ["--dry-run", "--Werror", "--ferror-limit=1", ...cxx]) : 0,
];
if (!write && statuses.some(Boolean)) console.error("run: npm run format");
exit(statuses.some(Boolean) ? 1 : 0);
