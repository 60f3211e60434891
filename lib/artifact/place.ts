// Where an artifact is: the path that a user gives, checked, and resolved once into the real folder that saving replaces. What is
// judged and what is replaced are then one path, whatever links, "..", or a change of the working folder lie between.
import { lstat, realpath } from "node:fs/promises";
import { isAbsolute, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { ArgumentError, FileError } from "../errors.js";

const maxPathBytes = 4095; // of Linux; other systems answer themselves

/**
 * The path of an artifact as text.
 *
 * @throws ArgumentError for anything but a path or a `file:` URL.
 */
export function pathOf(where: string, given: unknown): string {
  const wanted = `${where}: expected the path of a folder, such as "out/model", or a file: URL`;
  if (given instanceof URL) {
    try {
      return fileURLToPath(given);
    } catch (thrown) {
      throw new ArgumentError(`${wanted}, got the URL ${given.href}: ${(thrown as Error).message}`, { cause: thrown });
    }
  }
  if (typeof given !== "string") throw new ArgumentError(`${wanted}, got ${kindOf(given)}`);
  if (given === "") throw new ArgumentError(`${wanted}, got an empty string; is a variable not set?`);
  if (given.includes("\0")) throw new ArgumentError(`${wanted}, got ${JSON.stringify(given)} with a NUL character`);
  if (given.startsWith("file:")) return pathOf(where, urlOf(wanted, given));
  return given;
}

/**
 * The real path of the folder to save into, which need not exist yet; links are followed.
 *
 * @throws ArgumentError for a path that names no folder of its own: the working folder or one that holds it, a way through
 *   a folder that does not exist, a link that leads nowhere; FileError where the system refuses to look.
 */
export async function placeOf(where: string, given: unknown): Promise<string> {
  const path = pathOf(where, given);
  const from = await workingFolder(where);
  const place = await resolved(where, path, isAbsolute(path) ? path : `${from}${sep}${path}`);
  if (from === place || from.startsWith(place.endsWith(sep) ? place : place + sep)) {
    const what = from === place ? "the working folder" : "a folder that the working folder is in";
    throw new ArgumentError(
      `${where}: "${path}" is ${what}, which saving would replace; save into a folder of its own, such as "${join(path, "model")}"`,
    );
  }
  return place;
}

async function workingFolder(where: string): Promise<string> {
  try {
    return await realpath(process.cwd());
  } catch (thrown) {
    throw new FileError(`${where}: the working folder of this process does not exist any more; change to another`, {
      cause: thrown,
    });
  }
}

// As the system resolves it, not by its text: "a/../b" is "b" only where "a" is a folder and not a link.
async function resolved(where: string, path: string, absolute: string): Promise<string> {
  if (Buffer.byteLength(absolute) > maxPathBytes) throw refusal(where, path, "ENAMETOOLONG");
  const names = absolute.split(sep).filter((name, i) => i === 0 || (name !== "" && name !== "."));
  for (let known = names.length; known > 0; known--) {
    const real = await realOf(where, path, known === names.length ? absolute : names.slice(0, known).join(sep) || sep);
    if (real === undefined) continue;
    const missing = names.slice(known);
    if (missing.includes("..")) {
      throw new ArgumentError(
        `${where}: "${path}" goes through "${join(real, missing[0]!)}", which does not exist; give the path without ".."`,
      );
    }
    if (missing.length > 0 && (await isThere(join(real, missing[0]!)))) {
      throw new ArgumentError(
        `${where}: "${path}" is or goes through the link "${join(real, missing[0]!)}", which leads nowhere; remove the link or make the folder that it names`,
      );
    }
    return join(real, ...missing);
  }
  throw new FileError(`${where}: "${path}": not even the root folder can be read`);
}

async function realOf(where: string, path: string, absolute: string): Promise<string | undefined> {
  try {
    return await realpath(absolute);
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT") return undefined;
    throw refusal(where, path, code, thrown);
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** The error for a path that the system refused with `code`. */
export function refusal(where: string, path: string, code: string, cause?: unknown): ArgumentError | FileError {
  const reasons: Record<string, string> = {
    ENAMETOOLONG: `is too long: it has ${path.length} characters; systems take about 4,000, and 255 for each name in it`,
    ENOTDIR: "goes through something that is not a folder; give another path",
    ELOOP: "goes through links that lead in a circle; remove one of them",
  };
  const reason = reasons[code];
  if (reason === undefined) return new FileError(`${where}: "${path}" could not be read (${code})`, { cause });
  const shown = path.length > 100 ? `${path.slice(0, 100)}…` : path;
  return new ArgumentError(`${where}: the path "${shown}" ${reason}`, { cause });
}

function urlOf(wanted: string, text: string): URL {
  try {
    return new URL(text);
  } catch (thrown) {
    throw new ArgumentError(`${wanted}, got "${text}", which is not a valid URL`, { cause: thrown });
  }
}

function kindOf(value: unknown): string {
  if (value instanceof Promise) return "a promise; await it first";
  if (value === null || value === undefined || typeof value === "number") return String(value);
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}
