// Libraries that only some programs need: optional peers, loaded when they are first wanted.
import { UnsupportedError } from "../errors.js";

/**
 * Loads what `load` imports.
 *
 * @throws UnsupportedError that says what to install where a library is missing.
 */
export async function optional<T>(
  where: string,
  what: string,
  names: readonly string[],
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    const isMissing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
    if (!isMissing || !names.some((name) => message.includes(name))) throw thrown;
    throw new UnsupportedError(
      `${where}: ${what} needs ${names.join(" and ")}, which athanor does not install by itself: npm install ${names.join(" ")}`,
      { cause: thrown },
    );
  }
}
