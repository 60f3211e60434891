// Files want to stay under 300 lines. A longer one says why in a comment within its first 15 lines: "Long because …"; none has more
// than 400, and no folder more than 30 files. Data and generated files do not count. --report prints the lines of every folder instead.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { chdir, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./files-below.mjs";

chdir(fileURLToPath(new URL("..", import.meta.url)));
const limit = 300;
const hardLimit = 400;
const folderLimit = 30;
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
  const problems = [];
  for (const { path, count, head } of sized) {
    const generated = /Written by `npm run generate`/.test(head);
    if (!generated && count > hardLimit) problems.push(`${path}: ${count} lines (limit ${hardLimit}); split it`);
    else if (count > limit && !generated && !/Long because \S+ \S+/.test(head))
      problems.push(`${path}: ${count} lines (limit ${limit}); split it, or say "Long because …" in its head`);
  }
  const counts = new Map();
  for (const { path } of sized) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  for (const [folder, count] of counts)
    if (count > folderLimit) problems.push(`${folder}: ${count} files (limit ${folderLimit}); divide it by family`);
  for (const problem of problems) console.error(problem);
  exit(problems.length ? 1 : 0);
}
