// From the turns of every side to the rows of a result, and from rows to a page. Ratios are of neighbours in one round, then
// the median over rounds; above 1 means that Athanor is faster.

const TIMES = new Set(["ms", "µs"]);

const quantile = (values, q) => {
  const ordered = [...values].sort((a, b) => a - b);
  const at = q * (ordered.length - 1);
  const low = Math.floor(at);
  return ordered[low] + (at - low) * ((ordered[low + 1] ?? ordered[low]) - ordered[low]);
};

const spread = (values) => ({ median: quantile(values, 0.5), p10: quantile(values, 0.1), p90: quantile(values, 0.9) });

/** How often the row's `work`, that of one step, is done in a second. */
function stepsPerSecond({ unit, median, work, perStep = 1 }) {
  if (unit === "ms") return 1e3 / median;
  if (unit === "µs") return 1e6 / median;
  if (unit === "GFLOP/s") return (median * 1e9) / work.flops;
  if (unit === "GB/s") return (median * 1e9) / work.bytes;
  return median / perStep;
}

/** The share of the ceiling that a row reaches, in FLOPs or bytes as the ceiling is; undefined if it counts none. */
function fraction(row, ceiling) {
  const amount = ceiling.unit === "GB/s" ? row.work.bytes : row.work.flops;
  return amount ? (stepsPerSecond(row) * amount) / 1e9 / ceiling.value : undefined;
}

/** One result row a side; `turns` are its rows in order, `own` Athanor's, `limits` those of the ceiling. */
export function summarise(turns, own, limits) {
  const middle = (rows, key) => spread(rows.map((row) => row[key])).median;
  const row = { ...turns[0], ...spread(turns.map((turn) => turn.median)) };
  delete row.samples;
  if (row.p99 !== undefined) row.p99 = middle(turns, "p99");
  const ceiling = limits && { value: middle(limits, "median"), unit: limits[0].unit, kind: limits[0].case };
  if (ceiling) Object.assign(row, { ceiling, fraction: fraction(row, ceiling) });
  if (own && own !== turns) {
    const ratios = turns.map((turn, round) =>
      TIMES.has(turn.unit) ? turn.median / own[round].median : own[round].median / turn.median,
    );
    row.athanor = spread(ratios);
  }
  return row;
}

/** Athanor's row carries the ratio to each peer: `ratio` to the first, `ratios` to all. */
export function attachRatios(rows) {
  const own = rows.find((row) => row.system === "athanor");
  const ratios = rows.flatMap(({ athanor, system }) =>
    athanor ? [{ to: system, value: athanor.median, ...athanor }] : [],
  );
  for (const row of rows) delete row.athanor;
  if (own && ratios.length > 0) Object.assign(own, { ratio: { to: ratios[0].to, value: ratios[0].value }, ratios });
  return rows;
}

const figure = (value) =>
  value === undefined ? "–" : Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });

/** The rows as a Markdown page. */
export function markdown({ date, machine, rounds, seconds, rows }) {
  const lines = [
    `# Peers, ${date}`,
    "",
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, node ${machine.node}; ` +
      `load ${machine.load} when it began. ${rounds} rounds of ${seconds} s a side, sides in turn; medians, 10th to 90th percentile ` +
      "of the rounds in brackets. Ratio: how many times faster Athanor is, of neighbours in one round.",
    "",
    "| suite | case | threads | system | result | unit | of ceiling | Athanor is |",
    "|---|---|---|---|---|---|---|---|",
  ];
  for (const row of rows) {
    const own = rows.find((o) => o.ratios && o.suite === row.suite && o.case === row.case && o.threads === row.threads);
    const ratio = own?.ratios.find(({ to }) => to === row.system);
    const share = row.fraction === undefined ? "" : `${(100 * row.fraction).toFixed(0)} % ${row.ceiling.kind}`;
    const variant = row.variant ? ` (${row.variant})` : "";
    lines.push(
      `| ${row.suite} | ${row.case} | ${row.threads} | ${row.system}${variant} | ${figure(row.median)} ` +
        `(${figure(row.p10)}–${figure(row.p90)}) | ${row.unit} | ${share} | ` +
        `${ratio ? `${ratio.value.toFixed(2)}× (${ratio.p10.toFixed(2)}–${ratio.p90.toFixed(2)})` : ""} |`,
    );
  }
  return `${lines.join("\n")}\n`;
}
