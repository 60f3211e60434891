// The engine of a platform as a package of its own: @athanor/linux-x64 and its like, which npm installs as an optional dependency of
// the published package (docs/decisions/0013). scripts/install/prebuilt.mjs follows the same rule on installation.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Packages that may hold the engine for this system. */
export function prebuiltPackages(platform: string = process.platform, arch: string = process.arch): string[] {
  // A build for the other C library does not load and the next one is tried: cheaper than asking which one this is.
  const name = `@athanor/${platform}-${arch}`;
  return platform === "linux" ? [name, `${name}-musl`] : [name];
}

/** Where the addon of an installed prebuilt package is, or why it is not used. */
export type Prebuilt = { readonly path: string } | { readonly place: string; readonly reason: string };

/** Looks for the package `name` from `root`, the folder of athanor, whose version it has to have. */
export function findPrebuilt(name: string, root: string): Prebuilt {
  const require = createRequire(join(root, "package.json"));
  let manifest: string;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch {
    return { place: name, reason: "not installed" };
  }
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, string>;
  const [own, found] = [read(join(root, "package.json")).version, read(manifest)];
  if (found.version !== own)
    return { place: name, reason: `version ${found.version} is of another athanor than this one, ${own}` };
  return { path: join(dirname(manifest), found.main ?? "athanor.node") };
}
