// How many weights stay at least. Magnitudes of layers differ by their fan-in: ranked together, all of a layer may be among the smallest,
// and a network with an empty layer answers the same to everything ("layer collapse", Tanaka et al. 2020).

/** One of the parameters that are ranked together, in units that stay or go as one. */
export interface Part {
  readonly size: number;
  /** Its outputs. */
  readonly rows: number;
}

/** How many of `width` candidates an amount below 1 leaves: one at least. */
export function kept(width: number, amount: number): number {
  return Math.max(Math.min(1, width), width - Math.round(amount * width));
}

/**
 * How many units of each part stay whatever their rank: the share `floor` of what an even pruning would leave it, and as many as it
 * has outputs; less of all where that is more than stay altogether.
 */
export function floors(parts: readonly Part[], keep: number, floor: number): number[] {
  const total = parts.reduce((sum, { size }) => sum + size, 0);
  const wanted = parts.map(({ size, rows }) =>
    Math.min(size, Math.max(rows, Math.ceil((floor * keep * size) / total))),
  );
  const sum = wanted.reduce((a, b) => a + b, 0);
  return sum <= keep ? wanted : wanted.map((least) => Math.floor((least * keep) / sum));
}
