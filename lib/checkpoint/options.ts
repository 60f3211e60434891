// When checkpoints are written and which are kept, and which one a run goes on from.
import { requireFlag, requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { sections, type Section } from "./identity.js";
import { got } from "../names/got.js";

/** A time such as "30 s", "5 min" or "1 h". */
export type Duration = `${number} ${"s" | "min" | "h"}`;

/** After every epoch, every so many steps, or after a time. */
export type EveryOption = "epoch" | number | Duration;

/** An {@link EveryOption} that has been checked. */
export type Every =
  | { readonly kind: "epoch" }
  | { readonly kind: "steps"; readonly steps: number }
  | { readonly kind: "time"; readonly ms: number };

/** Options of checkpoints. */
export interface CheckpointOptions {
  /** The folder that holds the checkpoints of this run and of no other. */
  readonly dir: string;
  /** After every epoch, every so many steps, or after a time such as "30 s", "5 min" or "1 h". Default "epoch". */
  readonly every?: EveryOption | undefined;
  /** How many of the newest are kept. Default 3. */
  readonly keep?: number | undefined;
  /** Also keep the newest one that was written at the best check. Default true. */
  readonly best?: boolean | undefined;
}

/**
 * Where a run begins: "auto" is the newest sound checkpoint of `checkpoint.dir`, or the start where there is none; a path is a
 * checkpoint or a folder of them, and has to be there; false is the start.
 */
export type Resume = string | false;

/** Options that have been checked. */
export interface CheckpointPlan {
  readonly dir: string;
  readonly every: Every;
  readonly keep: number;
  readonly best: boolean;
}

/** @throws ArgumentError */
export function planCheckpoint(where: string, given: CheckpointOptions | undefined): CheckpointPlan | undefined {
  if (given === undefined) return undefined;
  const at = `${where}: checkpoint`;
  if (typeof given !== "object" || given === null) {
    throw new ArgumentError(
      `${at} must be an object such as { dir: "runs/digits", every: "epoch" }, got ${String(given)}`,
    );
  }
  checkOptions(at, given, ["dir", "every", "keep", "best"]);
  const { dir, every = "epoch", keep = 3, best = true } = given;
  if (typeof dir !== "string" || dir === "") {
    throw new ArgumentError(
      `${at}: dir must be the path of a folder, such as "runs/digits", got ${JSON.stringify(dir)}`,
    );
  }
  requireCount(at, "keep", keep);
  requireFlag(at, "best", best);
  return { dir, every: planEvery(at, every), keep, best };
}

const units: Readonly<Record<string, number>> = { s: 1e3, min: 60e3, h: 3600e3 };

/** Milliseconds of a {@link Duration}; undefined for anything else. */
export function millisecondsOf(duration: unknown): number | undefined {
  const [, count, unit] = /^(\d+(?:\.\d+)?) ?(s|min|h)$/.exec(typeof duration === "string" ? duration : "") ?? [];
  const ms = Number(count) * (units[unit ?? ""] ?? NaN);
  return ms > 0 ? ms : undefined;
}

/** @throws ArgumentError */
export function planEvery(at: string, every: unknown): Every {
  if (every === "epoch") return { kind: "epoch" };
  if (typeof every === "number" && Number.isSafeInteger(every) && every >= 1) return { kind: "steps", steps: every };
  const ms = millisecondsOf(every);
  if (ms !== undefined) return { kind: "time", ms };
  throw new ArgumentError(
    `${at}: every must be "epoch", a number of steps from 1 on, or a time such as "5 min", got ${typeof every === "string" ? JSON.stringify(every) : String(every)}`,
  );
}

/** @throws ArgumentError */
export function checkResume(
  where: string,
  resume: unknown,
  plan: CheckpointPlan | undefined,
): asserts resume is Resume {
  if (resume === false) return;
  if (typeof resume !== "string" || resume === "") {
    throw new ArgumentError(
      `${where}: resume must be "auto", the path of a checkpoint, or false, got ${typeof resume === "string" ? '""' : String(resume)}`,
    );
  }
  if (resume === "auto" && !plan) {
    throw new ArgumentError(
      `${where}: resume: "auto" looks in checkpoint.dir; give checkpoint: { dir: "runs/digits" }`,
    );
  }
}

/** @throws ArgumentError */
export function checkAllow(where: string, allow: unknown): asserts allow is readonly Section[] {
  const known = sections.map((section) => `"${section}"`).join(", ");
  if (Array.isArray(allow) && allow.every((each) => (sections as readonly unknown[]).includes(each))) return;
  throw new ArgumentError(`${where}: allow must be a list of ${known}, got ${got(allow)}`);
}
