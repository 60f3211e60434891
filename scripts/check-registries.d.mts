import type { OperationRow } from "./generate/operation-rows.mjs";

export type KernelTexts = Record<"f32" | "plain" | "value" | "f64", string>;
export function kernelTexts(): KernelTexts;
export function missingFunctions(table: string, texts: KernelTexts): string[];
export function ruleFaults(row: OperationRow, text: string): string[];
export function strayLists(): string[];
export function listsIn(
  text: string,
  registry: { readonly kind: string; readonly known: ReadonlySet<string> },
): { readonly line: number; readonly names: string[] }[];
