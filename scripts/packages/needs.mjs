// What an ELF file asks of the system: the newest version of each library's symbols, read from the names that it carries
// (GLIBC_2.34 and the like are text in its version table).
import { readFileSync } from "node:fs";

/** { GLIBC: "2.34", GLIBCXX: "3.4.30", … } for the versions that an addon needs; libraries that it brings along are not named. */
export function neededVersions(path) {
  const text = readFileSync(path, "latin1");
  const newest = {};
  const newer = (a, b) => a.localeCompare(b, "en", { numeric: true }) > 0;
  for (const [, library, version] of text.matchAll(/\0(GLIBC|GLIBCXX|CXXABI|GCC)_(\d+(?:\.\d+)+)(?=\0)/g)) {
    if (!newest[library] || newer(version, newest[library])) newest[library] = version;
  }
  return newest;
}
