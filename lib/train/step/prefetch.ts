// Work one ahead of its reader, so that the engine never waits for JavaScript.

/**
 * Results of `begin` in the order of the items. An item is asked for and begun before the result of the one before it is given;
 * what has begun ends before the reader leaves or is told of an error, and nothing begins once it is known that one failed.
 */
export async function* prefetch<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  begin: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, void> {
  let ahead: Promise<Result> | undefined;
  let hasFailed = false;
  try {
    for await (const start of starts(items, begin)) {
      if (hasFailed) break;
      const due = ahead;
      ahead = start();
      ahead.catch(() => (hasFailed = true)); // the reader may not be there yet
      if (due) yield await due;
    }
    if (ahead) yield await ahead;
  } finally {
    await ahead?.catch(() => undefined);
  }
}

// An error of the source comes in its turn, after the results of all items before it.
async function* starts<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  begin: (item: Item) => Promise<Result>,
) {
  try {
    for await (const item of items) yield () => begin(item);
  } catch (thrown) {
    const error = thrown as Error;
    yield () => Promise.reject<Result>(error);
  }
}
