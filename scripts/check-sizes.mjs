// Files want to stay under 300 lines. A longer one says why in a comment within its first 15 lines: "Long because …".
// Data and generated files do not count. --report prints the lines of every folder instead.
import { readFileSync } from "node:fs";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./files-below.mjs";

chdir(fileURLToPath(new URL("..", import.meta.url)));
const limit = 300;
const code = /\.(ts|mjs|cjs|h|cc|cu|cuh|def|py|c)$/;
const folders = ["native", "cuda", "lib", "test", "bench", "examples", "scripts"];

const files = folders.flatMap((folder) =>
  filesBelow(folder, (path) => code.test(path) && !path.includes("/node_modules/")),
);
const sized = files.map((path) => {
  const lines = readFileSync(path, "utf8").split("\n");
  return { path, count: lines.length - 1, head: lines.slice(0, 15).join(" ") };
});

if (process.argv.includes("--report")) {
  const sums = new Map();
  for (const { path, count } of sized) {
    const folder = path.split("/").slice(0, -1).slice(0, 2).join("/");
    const sum = sums.get(folder) ?? { files: 0, lines: 0 };
    sums.set(folder, { files: sum.files + 1, lines: sum.lines + count });
  }
  console.table(Object.fromEntries([...sums].sort()));
} else {
  const long = sized.filter(({ count, head }) => count > limit && !/Long because \S+ \S+/.test(head));
  for (const { path, count } of long)
    console.error(`${path}: ${count} lines (limit ${limit}); split it, or say "Long because …" in its head`);
  exit(long.length ? 1 : 0);
}
