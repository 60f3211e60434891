// Colours of the page, for what is drawn on canvases; numbers as axes show them.

let known = new Map<string, string>();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (known = new Map()));

/** The value of a CSS variable, such as "--c0". */
export function color(name: string): string {
  let value = known.get(name);
  if (value === undefined) known.set(name, (value = getComputedStyle(document.documentElement).getPropertyValue(name).trim())); // prettier-ignore
  return value;
}

const channels = (hex: string): number[] => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Between two variables' colours: 0 is the first. */
export function mixed(from: string, to: string, share: number, alpha = 1): string {
  const [a, b] = [channels(color(from)), channels(color(to))];
  return `rgb(${a.map((channel, i) => Math.round(channel + (b[i]! - channel) * share)).join(" ")} / ${alpha})`;
}

/** Colours of the states of trials. */
export const stateColors: Readonly<Record<string, string>> = {
  complete: "--c2",
  running: "--c1",
  pruned: "--c5",
  failed: "--c0",
  infinite: "--c4",
  waiting: "--c3",
};

/** A number in few digits: `943k`, `0.05`, `1.2e-5`. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || value === 0) return String(value);
  if (size >= 1e12 || size < 1e-3) return value.toExponential(1).replace("+", "").replace(".0e", "e");
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]] as const) {
    if (size >= unit) return `${Number((value / (letter === "k" ? 1e3 : unit)).toPrecision(3))}${letter}`;
  } // prettier-ignore
  return String(Number(value.toPrecision(4)));
}
