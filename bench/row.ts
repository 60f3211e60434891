// One measured row, as printed by `npm run bench` and committed in bench/results/, and what it was measured on.
import os from "node:os";

/** Work of one call, for fractions of a ceiling. */
export interface Work {
  flops: number;
  bytes: number;
}

/** Times in `ms` and `µs`; everything else is a rate, where more is better. */
export type Unit = "ms" | "µs" | "samples/s" | "tokens/s" | "GFLOP/s" | "GB/s";

export interface Row {
  suite: string;
  case: string;
  system: string;
  threads: number;
  isa: string;
  /** Median, 10 % and 90 % quantile over the calls, in `unit`. */
  median: number;
  p10: number;
  p90: number;
  p99?: number;
  unit: Unit;
  work: Work;
  /** The machine's limit for this kind of work, measured in the same run. */
  ceiling?: { value: number; unit: string; kind: string };
  /** Achieved part of the ceiling, 0 to 1. */
  fraction?: number;
  /** `value > 1` means that Athanor is faster than `to`. */
  ratio?: { to: string; value: number };
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  node: string;
}

export function machine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown",
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    node: process.versions.node,
  };
}

/** A call's seconds in the unit of its case; `perCall` samples or tokens are done by one call. */
export function inUnit(unit: Unit, seconds: number, work: Work, perCall: number): number {
  switch (unit) {
    case "ms":
      return seconds * 1e3;
    case "µs":
      return seconds * 1e6;
    case "GFLOP/s":
      return work.flops / seconds / 1e9;
    case "GB/s":
      return work.bytes / seconds / 1e9;
    default:
      return perCall / seconds;
  }
}

/** The part of a ceiling (in G of flops or bytes a second) that `seconds` for `work` amounts to. */
export function fractionOf(ceiling: { value: number; unit: string }, seconds: number, work: Work): number | undefined {
  const amount = ceiling.unit.startsWith("GB") ? work.bytes : work.flops;
  return amount > 0 ? amount / seconds / 1e9 / ceiling.value : undefined;
}
