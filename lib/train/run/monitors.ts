// What of a run can be watched: the metrics, the way that is better, and the numbers that those who watch are given.
import { ArgumentError, nearestName } from "../../errors.js";
import type { Metric } from "../../metrics/index.js";
import { got } from "../../names/got.js";

/** Metrics that can be monitored, with the way that is better. */
export type Monitors = ReadonlyMap<string, "higher" | "lower">;

/** What a run with these metrics can monitor; undefined without validation. */
export function monitorsOf(metrics: Readonly<Record<string, Metric>> | undefined): Map<string, "higher" | "lower"> {
  const monitors = new Map<string, "higher" | "lower">([["loss", "lower"]]);
  if (!metrics) return monitors;
  monitors.set("val.loss", "lower");
  for (const [name, { better }] of Object.entries(metrics)) monitors.set(`val.${name}`, better);
  return monitors;
}

/** The metric to watch and which way is better. @throws ArgumentError for a metric that the run does not have, or an unknown mode */
export function monitored(
  where: string,
  { monitor, mode }: { readonly monitor: string; readonly mode?: "min" | "max" | undefined },
  monitors: Monitors,
): { readonly monitor: string; readonly mode: "min" | "max" } {
  const better = monitors.get(monitor);
  if (!better) throw unknownMonitor(where, monitor, [...monitors.keys()]);
  if (mode !== undefined && mode !== "min" && mode !== "max") {
    throw new ArgumentError(`${where}: mode must be "min" or "max", got ${got(mode)}`);
  }
  return { monitor, mode: mode ?? (better === "higher" ? "max" : "min") };
}

function unknownMonitor(where: string, monitor: unknown, known: readonly string[]): ArgumentError {
  const validates = known.includes("val.loss");
  if (monitor === undefined) {
    const all = known.map((name) => `"${name}"`).join(", ");
    return new ArgumentError(
      `${where}: monitor is missing, what to watch; write monitor: "${known[1] ?? "loss"}"; known: ${all}`,
    );
  }
  const near = typeof monitor === "string" ? nearestMonitor(monitor, known) : undefined;
  const asked = got(monitor);
  const way =
    typeof monitor === "string" && monitor.startsWith("val.") && !validates
      ? `; it takes validate: { on: … }`
      : near
        ? `, did you mean "${near}"?`
        : `; known: ${known.map((name) => `"${name}"`).join(", ")}${measured(monitor)}`;
  return new ArgumentError(`${where}: there is no metric ${asked} to monitor${way}`);
}

// Keras and Lightning write val_loss and val_acc.
function nearestMonitor(monitor: string, known: readonly string[]): string | undefined {
  const dotted = monitor.replace(/^val(?:id|idation)?[_/-]/i, "val.").replace(/\bacc$/, "accuracy");
  return known.includes(dotted)
    ? dotted
    : known.includes(`val.${dotted}`)
      ? `val.${dotted}`
      : nearestName(dotted, known);
}

function measured(monitor: unknown): string {
  const name = typeof monitor === "string" ? /^(?:val[._])?(\w+)$/.exec(monitor)?.[1] : undefined;
  return name === undefined ? "" : `; to measure it, validate: { on, metrics: { ${name}: metrics.${name}() } }`;
}
