// Elements by function. Strings become text nodes, never markup, so that a study's names cannot be more than text.

type Child = Node | string | number | undefined | false | readonly Child[];
type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: never) => void)>>;

/** An element; attributes that are functions are listeners, `class` and the like are as in HTML. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value as (event: Event) => void);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined || child === false) continue;
    if (child instanceof Node) element.append(child);
    else if (typeof child === "object") append(element, child);
    else element.append(String(child));
  }
}

/** A choice of one of several, as a native select. */
export function select(
  label: string,
  options: readonly string[],
  chosen: number,
  choose: (index: number) => void,
): HTMLElement {
  // prettier-ignore
  const list = h("select", { "aria-label": label }, ...options.map((name, i) => h("option", { value: i, selected: i === chosen }, name))); // prettier-ignore
  list.addEventListener("change", () => choose(Number(list.value)));
  return h("label", { class: "pick" }, label, list);
}

/** A card with a title. */
export function card(title: string, note: string | undefined, ...children: readonly Child[]): HTMLElement {
  return h("figure", { class: "card" }, h("h3", {}, title, note !== undefined && h("small", {}, note)), ...children);
}
