export interface OperationRow {
  readonly name: string;
  readonly section: string;
  readonly arity: number | "variadic";
  readonly traits: string[];
  readonly pruning: string;
  readonly flops: number | string;
  readonly api: string;
  readonly sentence: string;
}

export const source: string;
export function operationRows(path?: string): OperationRow[] | undefined;
