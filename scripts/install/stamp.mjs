// Tells whether the addon that lies in build/Release was built from these sources with this compiler: a hash over the
// sources, the build files, the headers' versions, the compiler and the platform, kept beside the addon.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const addon = "build/Release/athanor.node";
const stampFile = "build/Release/athanor.stamp.json";

function sourceFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return path === "native/test" ? [] : sourceFiles(path);
      return [path];
    });
}

/** The hash of everything that the addon is made of. */
export function buildHash(compilers) {
  const hash = createHash("sha256");
  const add = (...parts) => parts.forEach((part) => hash.update(`${part ?? ""}\0`));
  add(process.platform, process.arch, process.versions.napi >= 9 ? 9 : process.versions.napi);
  // Through ccache or not, a compiler writes the same code.
  const named = (compiler) => compiler?.replace(/^ccache /, "");
  add(require("node-addon-api/package.json").version, named(compilers.CC), named(compilers.CXX));
  add(process.env.CFLAGS, process.env.CXXFLAGS, process.env.CPPFLAGS, process.env.LDFLAGS);
  for (const path of ["binding.gyp", ...sourceFiles("native")]) add(path, readFileSync(path));
  return hash.digest("hex");
}

export const isFresh = (hash) =>
  existsSync(addon) && existsSync(stampFile) && JSON.parse(readFileSync(stampFile, "utf8")).hash === hash;

export function writeStamp(hash, seconds) {
  writeFileSync(
    stampFile,
    `${JSON.stringify({ hash, seconds, napi: process.versions.napi, node: process.version })}\n`,
  );
}
