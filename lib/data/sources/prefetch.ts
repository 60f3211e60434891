// Reading ahead of who takes, with an end to how far: a slow reader stops the source, and memory stays bounded.

/** The same items, up to `most` of them read before they are asked for; what the source throws comes in its turn. */
export async function* ahead<Item>(items: AsyncIterable<Item>, most: number): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]();
  const waiting: Promise<IteratorResult<Item>>[] = [];
  let ended = false;
  const ask = () => {
    const next = iterator.next();
    next.then(
      ({ done }) => void (ended ||= done === true),
      () => void (ended = true), // thrown where it is awaited
    );
    waiting.push(next);
  };
  try {
    for (;;) {
      while (!ended && waiting.length < most) ask();
      const next = await waiting.shift();
      if (!next || next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
