// Finds and loads the addon: a build of this machine first, then a prebuilt package. Never prints; when nothing loads it throws
// one error that tells every attempt and what to do about it.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LoadError } from "../errors.js";
import { findPrebuilt, prebuiltPackages } from "./prebuilt.js";

interface Attempt {
  path: string;
  reason: string;
}

/** The folder of the package, from wherever this file runs: lib/native in a checkout, dist/cjs/native when installed. */
export function packageRoot(): string {
  const here = folderOf(import.meta.url);
  for (let folder = here; ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, "utf8")) as { name?: string }).name === "athanor")
      return folder;
    if (folder === dirname(folder)) throw new LoadError(bundled(`no package.json of athanor above ${here}`));
  }
}

// A bundle in CommonJS has no address of the module at all.
function folderOf(url: string | undefined): string {
  if (url === undefined) throw new LoadError(bundled("the place of its files is not known"));
  return dirname(fileURLToPath(url));
}

function bundled(what: string): string {
  return [
    `athanor: ${what}: a bundler has taken it apart, and the native engine stayed behind. Leave it out of the bundle, it is`,
    "loaded from node_modules when the program runs:",
    '  - esbuild: --external:athanor (in the build script: external: ["athanor"])',
    '  - webpack: externals: { athanor: "commonjs athanor" } (for ES modules: "module athanor")',
    '  - Rollup: external: ["athanor"]',
    '  - Vite: ssr: { external: ["athanor"] }',
    '  - Next.js: serverExternalPackages: ["athanor"]',
    "If nothing is bundled, the folder of the package is damaged: npm install athanor",
  ].join("\n");
}

/** The places of an addon that was compiled here, best first. */
export function candidates(root: string): string[] {
  return [join(root, "build", "Release", "athanor.node"), join(root, "build", "Debug", "athanor.node")];
}

/**
 * Loads the first addon that can be loaded: one compiled here, which exists only where it was wanted or no prebuilt one fitted,
 * else that of a prebuilt package.
 *
 * @throws LoadError naming every path that was tried, why it failed, and numbered remedies.
 */
export function load(paths?: readonly string[]): unknown {
  const require = createRequire(import.meta.url);
  const attempts: Attempt[] = [];
  const tryPath = (path: string): unknown => {
    if (!existsSync(path)) {
      attempts.push({ path, reason: "no such file" });
      return undefined;
    }
    try {
      return require(path);
    } catch (thrown) {
      attempts.push({ path, reason: thrown instanceof Error ? (thrown.message.split("\n")[0] ?? "") : String(thrown) });
      return undefined;
    }
  };
  const root = packageRoot();
  for (const path of paths ?? candidates(root)) {
    const addon = tryPath(path);
    if (addon) return addon;
  }
  for (const name of paths ? [] : prebuiltPackages()) {
    const found = findPrebuilt(name, root);
    const addon = "path" in found ? tryPath(found.path) : undefined;
    if (addon) return addon;
    if ("place" in found) attempts.push({ path: found.place, reason: found.reason });
  }
  throw new LoadError(explain(attempts));
}

function explain(attempts: readonly Attempt[]): string {
  return [
    `athanor: the native engine could not be loaded on ${process.platform}-${process.arch}, Node ${process.version}. Tried:`,
    ...attempts.map(({ path, reason }) => `  - ${path}: ${reason}`),
    "What to do:",
    "  1. Build it: npm rebuild athanor (in a checkout: npm run build:native). Needs a C++20 compiler, make and Python 3.",
    `  2. Install the prebuilt engine, where there is one: npm install ${prebuiltPackages()[0]} (an optional dependency).`,
    "  3. If packages are installed with --ignore-scripts, allow the install script of athanor.",
    "  4. If node_modules came from another system or container, delete it and install on this one.",
  ].join("\n");
}
