// JSON that gives back what was put in: numbers that JSON has no words for, and values that are missing, are written as records.
// A double's shortest text is read back as the same double, so that numbers keep their bits.

/** What {@link writeJson} takes: plain data. */
export type Json =
  null | boolean | number | string | undefined | readonly Json[] | { readonly [name: string]: Json | undefined };

const mark = "$number";

/** Plain data as text. */
export function writeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, item: unknown) => (isWordless(item) ? { [mark]: wordOf(item) } : item), indent);
}

/** Text as plain data. @throws SyntaxError */
export function readJson(text: string): unknown {
  return JSON.parse(text, (_, item: unknown) => {
    const word = (item as Record<string, unknown> | null)?.[mark];
    return typeof word === "string" ? Number(word) : item;
  }) as unknown;
}

const isWordless = (item: unknown): item is number =>
  typeof item === "number" && (!Number.isFinite(item) || Object.is(item, -0));

const wordOf = (item: number): string => (Object.is(item, -0) ? "-0" : String(item));
