// The newest of two checkpoints is damaged in every way: it is recognized, named, and the one before it is used, untouched.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addVersion, newestVersion } from "./versions.js";

type Harm = (file: string, other: string, below: (n: number) => number) => void;

const flip: Harm = (file, _, below) => {
  const bytes = readFileSync(file);
  bytes[below(bytes.length)]! ^= 1 << below(8);
  writeFileSync(file, bytes);
};

/** What is done to one file of a checkpoint; `other` is the file of that name in the checkpoint before. */
const harms: Readonly<Record<string, Harm>> = {
  truncated: (file, _, below) => truncateSync(file, below(readFileSync(file).length)),
  emptied: (file) => truncateSync(file, 0),
  longer: (file, _, below) => writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(1 + below(64))])),
  overwritten: (file, _, below) => {
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0xa5, below(bytes.length - 8)));
  },
  missing: (file) => rmSync(file),
  "of another checkpoint": (file, other) => writeFileSync(file, readFileSync(other)),
  "a folder": (file) => {
    rmSync(file);
    mkdirSync(file);
  },
};

/** What {@link damagedCheckpoints} has seen. */
export interface DamagedResult {
  readonly tried: Record<string, number>;
  /** What is not as it should be. */
  readonly wrong: string[];
}

/** Flips `flips` bits, one at a time, over all files of a checkpoint, and does `others` of each other harm. */
export async function damagedCheckpoints(
  folder: string,
  { flips, others, below }: { readonly flips: number; readonly others: number; readonly below: (n: number) => number },
): Promise<DamagedResult> {
  const result: DamagedResult = { tried: {}, wrong: [] };
  const template = join(folder, "template");
  await addVersion(template);
  await addVersion(template);
  const [older, newer] = ["step-000000001", "step-000000002"] as const;
  const files = readdirSync(join(template, newer));
  const before = files.map((name) => readFileSync(join(template, older, name), "base64"));
  const dir = join(folder, "damaged");
  let warnings: string[] = [];
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = (text: string | Error) => void warnings.push(String(text));
  const one = async (what: string, harm: Harm, name: string): Promise<void> => {
    rmSync(dir, { recursive: true, force: true });
    cpSync(template, dir, { recursive: true });
    harm(join(dir, newer, name), join(dir, older, name), below);
    warnings = [];
    const version = await newestVersion(dir).catch((thrown: unknown) => String(thrown));
    result.tried[what] = (result.tried[what] ?? 0) + 1;
    const wrong = (text: string) => result.wrong.push(`${what}, ${name}: ${text}`);
    if (version !== 1) wrong(`found ${version}`);
    if (!warnings.some((text) => text.includes(newer) && text.includes("is damaged: ") && text.includes(older))) {
      wrong(`said ${warnings.join(" | ") || "nothing"}`);
    }
    const after = files.map((each) => readFileSync(join(dir, older, each), "base64"));
    if (String(after) !== String(before)) wrong("the one before has changed");
    const aside = readdirSync(dir).filter((each) => each.startsWith("aside-"));
    if (String(aside) !== `aside-1-${newer}`) wrong(`put aside: ${aside.join(", ") || "nothing"}`);
  };
  try {
    for (let i = 0; i < flips; i++) await one("a flipped bit", flip, files[i % files.length]!);
    for (const [what, harm] of Object.entries(harms)) {
      for (let i = 0; i < others * files.length; i++) await one(what, harm, files[i % files.length]!);
    }
  } finally {
    process.emitWarning = emitWarning;
  }
  return result;
}
