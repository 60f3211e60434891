// What the machine can do, measured now by bench/peers/limits.c: compiled when it is first asked for.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Row } from "./row.js";

const limits = fileURLToPath(new URL("peers/limits.c", import.meta.url));
const compiled = fileURLToPath(new URL("../.cache/peers/limits", import.meta.url));

/** Measures a limit of the machine now; undefined where the program cannot be had. */
export function ceilingOf(kind: string, threads: number): Row["ceiling"] {
  try {
    if (!existsSync(compiled) || statSync(compiled).mtimeMs < statSync(limits).mtimeMs) {
      mkdirSync(dirname(compiled), { recursive: true });
      execFileSync(process.env.CC ?? "cc", ["-O3", "-march=native", "-pthread", limits, "-o", compiled]);
    }
    const lines = execFileSync(compiled, [kind, String(threads)], { input: "0.3\n", encoding: "utf8" })
      .trim()
      .split("\n");
    const row = JSON.parse(lines.at(-1) ?? "") as { median: number; unit: string };
    return { value: row.median, unit: row.unit, kind };
  } catch {
    return undefined;
  }
}
