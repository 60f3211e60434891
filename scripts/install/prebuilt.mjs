// The engine of a platform as a package of its own, @athanor/<platform>. npm installs the one that fits as an optional dependency
// of the published package; scripts/packages.mjs makes them. lib/native/prebuilt.ts follows the same rule when it loads.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** Whether this Node runs on musl, as Alpine's does. */
export function isMusl() {
  if (process.platform !== "linux") return false;
  process.report.excludeNetwork = true; // which would ask for the names of all peers
  return !process.report.getReport().header.glibcVersionRuntime;
}

/** The platform's name: linux-x64, linux-x64-musl, darwin-arm64, … */
export const platformName = () => `${process.platform}-${process.arch}${isMusl() ? "-musl" : ""}`;

/** The prebuilt engine that this Node loads ({ name, version, path }), or why there is none ({ name, reason }). */
export function usablePrebuilt() {
  const name = `@athanor/${platformName()}`;
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  try {
    const manifest = require.resolve(`${name}/package.json`);
    const found = JSON.parse(readFileSync(manifest, "utf8"));
    if (found.version !== version) return { name, reason: `${name} is version ${found.version}, not ${version}` };
    const path = join(dirname(manifest), found.main);
    require(path); // the C library may be older than the one it needs
    return { name, version, path };
  } catch (thrown) {
    return { name, reason: String(thrown.message).split("\n")[0] };
  }
}
