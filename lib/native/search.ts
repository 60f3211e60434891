// The part of the addon that samplers of a search call: native/bindings/tune.cc.

/** What a sampler is asked, in coordinates: native/tune/space.h and request.h say what the numbers mean. */
export interface NativeSearchRequest {
  /** Of every dimension: kind, levels, number of conditions, and for each of them the dimension, number of values, values. */
  readonly space: Float64Array;
  /** Ended trials, a row each; NaN where a parameter does not exist. */
  readonly trials: Float64Array;
  readonly tiers: Float64Array;
  readonly keys: Float64Array;
  readonly objectives: number;
  /** Of every trial, or empty; NaN where unknown. */
  readonly constraints: Float64Array;
  readonly pending: Float64Array;
  /** A row with NaN where the sampler chooses, or empty. */
  readonly fixed: Float64Array;
  /** Candidates to rank instead of the sampler's own, or empty. */
  readonly given: Float64Array;
  /** Numbers that only this sampler knows. */
  readonly options: Float64Array;
  readonly seed: number;
  readonly number: number;
}

/** Functions of the addon. */
export interface NativeSearch {
  /** Candidates for a trial, rows from the best on. */
  propose(sampler: string, request: NativeSearchRequest): Promise<Float64Array>;
  /** A point of a scrambled sequence in the unit cube. */
  quasiPoint(sequence: "sobol" | "halton", seed: number, index: number, dimensions: number): Float64Array;
  /** The front of every row, 0 for those that none dominates; all objectives are to be small. */
  nondominatedRanks(values: Float64Array, objectives: number): Float64Array;
  /** What a forest of `trees` says of every dimension; rows have all of them. */
  importance(
    method: "fanova" | "permutation",
    space: Float64Array,
    rows: Float64Array,
    values: Float64Array,
    trees: number,
    seed: number,
  ): Promise<Float64Array>;
  /** What the rows dominate below the reference. */
  hypervolume(values: Float64Array, reference: Float64Array): Promise<number>;
}
