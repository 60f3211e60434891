// Numbers as a person reads them on a terminal or in a report: few digits, a unit, no surprise at NaN or Infinity.

/** A loss, metric or rate with three or four significant digits: `0.1234`, `12.35`, `8.12e-4`, `NaN`. */
export function number(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const size = Math.abs(value);
  if (size < 0.01 || size >= 1e6)
    return value
      .toExponential(2)
      .replace("+", "")
      .replace(/\.?0*e/, "e");
  return Number.isInteger(value) ? String(value) : value.toFixed(size < 10 ? 4 : size < 1000 ? 2 : 0);
}

/** A count with a decimal prefix: `950`, `45.2k`, `1.3M`. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  for (const [unit, prefix] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    // The bounds keep 999,950 from reading 1000.0k.
    if (value >= unit * 0.99995) return `${(value / unit).toFixed(value / unit < 99.95 ? 1 : 0)}${prefix}`;
  }
  return value < 10 && !Number.isInteger(value) ? value.toFixed(1) : value.toFixed(0);
}

/** A stretch of time: `0.8 s`, `42 s`, `3 m 05 s`, `2 h 10 m`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (part: number) => String(part).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
}
