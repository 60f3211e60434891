// Learning rates that fall when a metric no longer improves. The rules are those of torch.optim.lr_scheduler.ReduceLROnPlateau of
// PyTorch 2.13, check by check (test/golden/data/plateau.json), on top of whatever schedule the rates follow.
import { requireCount, requireFinite } from "../../guidance/arguments.js";
import type { Json, Participant } from "../../checkpoint/index.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { monitored, type Monitors } from "./monitors.js";

/**
 * When learning rates fall because a metric no longer improves (PyTorch's `ReduceLROnPlateau`). A "check" is one value of the
 * metric: a validation, or an epoch for "loss". NaN is no improvement.
 */
export interface PlateauOptions<Monitor extends string = string> {
  /** The metric: "loss" of training, "val.loss", or "val." and the name of a metric. */
  readonly monitor: Monitor;
  /** Which way is better. Default what the metric says; "min" for a loss. */
  readonly mode?: "min" | "max" | undefined;
  /** What all learning rates are multiplied by, above 0 and below 1. Default 0.1. */
  readonly factor?: number | undefined;
  /** Checks in a row without improvement that are let pass; the next one lowers the rates. Default 10. */
  readonly patience?: number | undefined;
  /** Least change that counts as an improvement. Default 1e-4. */
  readonly threshold?: number | undefined;
  /** Whether `threshold` is a share of the best value or a difference to it. Default "relative". */
  readonly thresholdMode?: "relative" | "absolute" | undefined;
  /** Checks after the rates have fallen that do not count. Default 0. */
  readonly cooldown?: number | undefined;
  /** The rates never fall below this share of their schedule. Default 0. */
  readonly least?: number | undefined;
}

const options = ["monitor", "mode", "factor", "patience", "threshold", "thresholdMode", "cooldown", "least"];

interface State {
  readonly best: number | null;
  readonly bad: number;
  readonly resting: number;
  readonly scale: number;
}

/** Watches one metric over a run, and what the rates are multiplied by for it. */
export class Plateau {
  readonly plan: Required<{ readonly [Name in keyof PlateauOptions]: NonNullable<PlateauOptions[Name]> }>;
  /** What the learning rates are multiplied by. */
  scale = 1;
  private best: number | undefined;
  private bad = 0;
  private resting = 0;

  /** @throws ArgumentError for unknown options, metrics and values out of range. */
  constructor(where: string, given: PlateauOptions, monitors: Monitors) {
    if (typeof given !== "object" || given === null) {
      throw new ArgumentError(
        `${where}: expected an object such as { monitor: "val.loss", factor: 0.5, patience: 3 }, got ${got(given)}`,
      );
    }
    checkOptions(where, given, options);
    const {
      factor = 0.1,
      patience = 10,
      threshold = 1e-4,
      thresholdMode = "relative",
      cooldown = 0,
      least = 0,
    } = given;
    if (!(requireFinite(where, "factor", factor) > 0 && factor < 1)) {
      throw new ArgumentError(`${where}: factor must be above 0 and below 1, got ${factor}`);
    }
    if (requireFinite(where, "threshold", threshold) < 0) {
      throw new ArgumentError(`${where}: threshold must not be below 0, got ${threshold}`);
    }
    if (thresholdMode !== "relative" && thresholdMode !== "absolute") {
      throw new ArgumentError(`${where}: thresholdMode must be "relative" or "absolute", got ${got(thresholdMode)}`);
    }
    if (!(requireFinite(where, "least", least) >= 0 && least <= 1)) {
      throw new ArgumentError(`${where}: least must be a share from 0 to 1, got ${least}`);
    }
    requireCount(where, "patience", patience, 0);
    requireCount(where, "cooldown", cooldown, 0);
    const { monitor, mode } = monitored(where, given, monitors);
    this.plan = { monitor, mode, factor, patience, threshold, thresholdMode, cooldown, least };
  }

  /** Takes in the metrics of a check; whether the rates have fallen. */
  observe(metrics: Readonly<Record<string, unknown>>): boolean {
    const { monitor, factor, patience, cooldown, least } = this.plan;
    const value = metrics[monitor];
    if (typeof value !== "number") return false;
    if (this.isBetter(value)) {
      this.best = value;
      this.bad = 0;
    } else {
      this.bad += 1;
    }
    if (this.resting > 0) {
      this.resting -= 1;
      this.bad = 0;
    }
    if (this.bad <= patience) return false;
    const before = this.scale;
    this.scale = Math.max(before * factor, least);
    this.resting = cooldown;
    this.bad = 0;
    return this.scale !== before;
  }

  private isBetter(value: number): boolean {
    const { mode, threshold, thresholdMode } = this.plan;
    if (this.best === undefined) return mode === "min" ? value < Infinity : value > -Infinity;
    const sign = mode === "min" ? -1 : 1;
    const bar = thresholdMode === "relative" ? this.best * (1 + sign * threshold) : this.best + sign * threshold;
    return sign * value > sign * bar;
  }

  /** What of it is kept in a checkpoint. */
  participant(): Participant {
    return {
      state: () => {
        const { best = null, bad, resting, scale } = this;
        const state: State = { best, bad, resting, scale };
        return state as unknown as Json;
      },
      restore: (saved) => {
        const { best, ...rest } = saved as unknown as State;
        Object.assign(this, rest);
        this.best = best ?? undefined;
      },
    };
  }
}
