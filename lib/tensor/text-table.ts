// Rows of text with aligned columns, as summaries and reports for a terminal have them.

/** One line a row: the first `left` columns flush left, the others flush right. */
export function alignedRows(rows: readonly (readonly string[])[], left = 1): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** The same under a head and a rule. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const [title, ...lines] = alignedRows([head, ...rows], left) as [string, ...string[]];
  const width = Math.max(title.length, ...lines.map((line) => line.length));
  return [title, "─".repeat(width), ...lines].join("\n");
}
