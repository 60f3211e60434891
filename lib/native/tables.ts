// Rows of tables that the engine reads: native/io/csv_rows.h.

/** A column of a file, in the file's order. */
export interface NativeCsvColumn {
  readonly kind: "ignored" | "number" | "category" | "labelNumber" | "labelClass";
  /** The first column of x that it becomes. */
  readonly feature: number;
  readonly offset: number;
  readonly divisor: number;
  readonly fill?: number | undefined;
  readonly indicator: boolean;
  readonly names: readonly string[];
  readonly missingName?: number | undefined;
  readonly unknown: "refused" | "zeros" | "missing";
}

/** A rule of rows. */
export interface NativeCsvRule {
  readonly columns: readonly NativeCsvColumn[];
  readonly missingCells: readonly string[];
  readonly width: number;
  readonly classes: boolean;
}

declare const csvRuleBrand: unique symbol;

/** A rule in the engine. */
export interface NativeCsvRuleHandle {
  readonly [csvRuleBrand]: true;
}

/** Rows of a file; those that the rule could not make into numbers come as cells. */
export interface NativeCsvScan {
  readonly rows: number;
  readonly x: ArrayBuffer;
  readonly y: ArrayBuffer;
  readonly odd: readonly {
    readonly row: number;
    readonly line: number;
    readonly damage?: string;
    readonly cells: string[];
  }[];
  readonly offset: number;
  readonly line: number;
  readonly hasEnded: boolean;
  readonly recordDelimiter: string;
}
