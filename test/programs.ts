// Programs that tests start in processes of their own, compiled: a third of a second less for each process than through a loader of TypeScript.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const known = new Map<string, string>();

/**
 * Compiles a TypeScript program of a test and returns the path of what came of it, for `node path`. Its neighbours are inside; "athanor" and
 * other packages are not: they are found from there as from the program, so that "athanor" is dist/.
 *
 * @param program - Its URL: `new URL("rank.ts", import.meta.url)`.
 */
export function compiled(program: URL): string {
  const source = fileURLToPath(program);
  let path = known.get(source);
  if (path) return path;
  path = join(root, "build/programs", relative(root, source).replace(/\.ts$/, ".mjs"));
  const { outputFiles } = buildSync({
    entryPoints: [source],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    supported: { using: false },
    packages: "external",
    tsconfig: join(root, "tsconfig.run.json"),
    // Files beside the program are looked for where it was written.
    define: { "import.meta.url": JSON.stringify(program.href) },
    logLevel: "warning",
  });
  mkdirSync(dirname(path), { recursive: true });
  // Other test files compile the same program at the same time.
  const draft = join(dirname(path), `.${process.pid}-${basename(path)}`);
  writeFileSync(draft, outputFiles[0]!.contents);
  renameSync(draft, path);
  known.set(source, path);
  return path;
}
