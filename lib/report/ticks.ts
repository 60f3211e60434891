// Where a logarithmic axis is labelled: left to themselves, axes print every multiple between 30 and 60 over one another.

const MOST_TICKS = 5;

/**
 * Round values for a logarithmic axis over `costs`, 5 at most and no two closer than a sixth of it: as many decades' 1, 2 and 5,
 * or multiples of a round step, as there is room for.
 */
export function costTicks(costs: readonly number[]): number[] {
  const [low, high] = [Math.min(...costs), Math.max(...costs)];
  if (!(low > 0) || !(high > low) || high === Infinity) return low > 0 && low < Infinity ? [low] : [];
  const decades = Array.from({ length: 40 }, (_, i) => Math.floor(Math.log10(low)) + i);
  const within = (digits: readonly number[]) =>
    decades
      .flatMap((decade) => digits.map((digit) => Number(`${digit}e${decade}`)))
      .filter((tick) => tick >= low && tick <= high);
  const fine = Array.from({ length: 90 }, (_, i) => 1 + i / 10);
  const every = (step: number) => fine.filter((_, i) => i % step === 0);
  const choices = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], every(10), every(5), every(2), fine].map(within);
  const room = Math.log(high / low) / 6;
  const apart = (tick: number, before: number | undefined) => before === undefined || Math.log(tick / before) >= room;
  const even = choices.find(
    (ticks) => ticks.length >= 3 && ticks.length <= MOST_TICKS && ticks.every((tick, i) => apart(tick, ticks[i - 1])),
  );
  if (even) return even;
  const thinned = choices.map((ticks) => {
    const kept: number[] = [];
    for (const tick of ticks) if (apart(tick, kept.at(-1))) kept.push(tick);
    return kept;
  });
  return thinned.findLast((ticks) => ticks.length > 0 && ticks.length <= MOST_TICKS) ?? [low, high];
}
