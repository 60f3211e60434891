// Lays generated TypeScript out as prettier would, so that `npm run check` has nothing to say about it.
import { readFileSync } from "node:fs";

/** `source` is named in the head of the file; `body` is TypeScript. */
export async function typescript(source, body) {
  const { format, resolveConfig } = await import("prettier");
  const options = await resolveConfig("lib/index.ts");
  return format(`// Written by \`npm run generate\` from ${source}. Do not edit.\n\n${body}`, {
    ...options,
    parser: "typescript",
  });
}

/** The lines of a .def file without comments and blanks. */
export const definitions = (path) =>
  readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.replace(/\/\/.*$/, "").trim())
    .filter(Boolean);
