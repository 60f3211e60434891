// The look of a report: warm paper in light, charcoal in dark, one accent a model. No font, script or image comes from
// elsewhere. The charts take their colours from the variables here.

/** Colours of models, in order; later models start over. */
export const modelColors = [
  "var(--c0)",
  "var(--c1)",
  "var(--c2)",
  "var(--c3)",
  "var(--c4)",
  "var(--c5)",
  "var(--c6)",
  "var(--c7)",
  "var(--c8)",
] as const;

export const style = `
:root {
  color-scheme: light dark;
  --page: #f7f5f0; --card: #fffefb; --ink: #23211d; --soft: #6e6a61; --line: #e6e2d8; --faint: #f3f0e8;
  --c0: #c4511d; --c1: #2a6ca8; --c2: #3c8457; --c3: #8453ad; --c4: #a67c12; --c5: #5a6872;
  --c6: #b03a6f; --c7: #1f8a8a; --c8: #6b7a1e;
  --right: #2f7f79; --wrong: #c8401f; --on-color: #fffefb; --shadow: 0 1px 2px #2a241610, 0 4px 16px #2a24160a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #151619; --card: #1d1f23; --ink: #e9e6df; --soft: #a09b90; --line: #32343a; --faint: #25272c;
    --c0: #f08a4b; --c1: #6fb1ec; --c2: #73c191; --c3: #bd93e0; --c4: #dfb74c; --c5: #a3b1bb;
    --c6: #ee86b3; --c7: #5ccaca; --c8: #b7c763;
    --right: #4fb3aa; --wrong: #ee6f4e; --on-color: #14161a; --shadow: none;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-font-smoothing: antialiased;
}
html { scroll-padding-top: 64px; }
main { max-width: 1160px; margin: 0 auto; padding: 48px 24px 72px; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 2px solid var(--c1); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 12px; top: 8px; z-index: 2; background: var(--card); padding: 6px 12px; }
nav { position: sticky; top: 0; z-index: 1; background: var(--page); border-bottom: 1px solid var(--line); }
nav ul { display: flex; gap: 4px 20px; max-width: 1160px; margin: 0 auto; padding: 10px 24px; list-style: none; overflow-x: auto; white-space: nowrap; font-size: 0.88rem; }
nav a { text-decoration: none; color: var(--soft); }
nav a:hover { color: var(--ink); }
h1, h2 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "URW Palladio L", Georgia, serif; font-weight: 600; letter-spacing: -0.01em; text-wrap: balance; }
h1 { font-size: clamp(2rem, 5vw, 2.9rem); line-height: 1.1; margin: 0 0 14px; }
h2 { font-size: 1.6rem; line-height: 1.2; margin: 56px 0 18px; display: flex; align-items: baseline; gap: 12px; flex-wrap: wrap; }
h2 small { font: 400 0.95rem/1.4 system-ui, sans-serif; letter-spacing: 0; color: var(--soft); }
h3 { font-size: 0.95rem; font-weight: 600; margin: 0 0 10px; }
h3 small { font-weight: 400; color: var(--soft); font-size: 0.85rem; margin-left: 6px; }
p, figure { margin: 0; }
.lead { font-size: 1.1rem; max-width: 62ch; color: var(--ink); text-wrap: pretty; }
.meta { margin-top: 14px; color: var(--soft); font-size: 0.87rem; display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 0; list-style: none; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow); padding: 20px 22px; }
.grid { display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.scroll { overflow-x: auto; background: linear-gradient(to right, var(--card), var(--card)) left / 24px 100% no-repeat local, linear-gradient(to right, transparent, var(--card)) right / 24px 100% no-repeat local, linear-gradient(to left, #0003, transparent) right / 10px 100% no-repeat scroll; }
.swatch { display: inline-block; width: 0.72em; height: 0.72em; border-radius: 3px; background: var(--of); margin-right: 0.55em; }
h2 .swatch { align-self: center; margin-right: 0; }
table { border-collapse: collapse; width: 100%; white-space: nowrap; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
thead th { font-weight: 500; color: var(--soft); font-size: 0.84rem; text-align: right; vertical-align: bottom; padding: 0 0 8px 22px; }
tbody th, td { padding: 10px 0 10px 22px; border-top: 1px solid var(--line); font-size: 1rem; vertical-align: top; }
td { text-align: right; }
td small { display: block; color: var(--soft); font-size: 0.78rem; }
th:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--card); padding-right: 10px; }
tbody th { font-weight: 600; box-shadow: inset 0 1px var(--line); }
tr:last-child td, tr:last-child th { padding-bottom: 2px; }
td.best strong { font-weight: 700; color: var(--right); }
.notes { margin-top: 14px; color: var(--soft); font-size: 0.87rem; }
.notes summary, details.model > summary { cursor: pointer; }
.notes dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 10px 0; }
.notes dt { color: var(--ink); }
.notes dd { margin: 0; max-width: 78ch; }
details.model { border-top: 1px solid var(--line); }
details.model > summary { list-style: none; display: flex; align-items: center; gap: 12px; padding: 16px 0; }
details.model > summary::-webkit-details-marker { display: none; }
details.model > summary::after { content: ""; margin-left: auto; width: 9px; height: 9px; border: solid var(--soft); border-width: 0 2px 2px 0; transform: rotate(45deg); flex: none; margin-right: 6px; }
details.model[open] > summary::after { transform: rotate(-135deg); }
details.model h2 { margin: 0; }
details.model > .stack { margin: 4px 0 28px; }
footer + details.model, section + details.model { margin-top: 56px; }
.hint { color: var(--soft); font-size: 0.84rem; margin-top: 10px; }
.next { margin-top: 18px; border-left: 3px solid var(--c0); border-radius: 4px 12px 12px 4px; }
.next ul { margin: 0; padding: 0 0 0 18px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 22px; color: var(--soft); font-size: 0.9rem; margin: -8px 0 16px; }
.legend b { font-weight: 500; color: var(--ink); }
svg { display: block; width: 100%; height: auto; color: var(--soft); }
.grid svg { max-width: 540px; margin: 0 auto; }
.heat svg { max-width: 520px; margin: 0 auto; }
.mixups { list-style: none; padding: 0; margin: 0; }
.mixups li { display: grid; grid-template-columns: 1fr auto; gap: 4px 12px; padding: 7px 0; border-top: 1px solid var(--line); }
.mixups li:first-child { border-top: 0; padding-top: 0; }
.mixups b { font-weight: 600; }
.mixups i { grid-column: 1 / -1; height: 4px; border-radius: 2px; background: var(--faint); overflow: hidden; }
.mixups i::before { content: ""; display: block; height: 100%; width: var(--share); border-radius: 2px; background: var(--wrong); }
.digits { display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); gap: 12px; }
.digits figure { margin: 0; text-align: center; font-size: 0.82rem; line-height: 1.35; color: var(--soft); }
.digits span { display: block; background: var(--faint); border-radius: 9px; padding: 7px; margin-bottom: 5px; }
.digits img { display: block; width: 100%; image-rendering: pixelated; mix-blend-mode: multiply; }
.digits b { color: var(--ink); font-weight: 600; }
.digits b + b { color: var(--wrong); }
.layers { display: grid; gap: 18px 26px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr)); }
.layers h4 { margin: 0; font-size: 0.88rem; font-weight: 600; }
.layers p { color: var(--soft); font-size: 0.8rem; margin-bottom: 4px; }
.charts { display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); }
.stack { display: grid; gap: 18px; margin-top: 18px; }
footer { margin-top: 56px; color: var(--soft); font-size: 0.84rem; }
@media (prefers-color-scheme: dark) { .digits img { filter: invert(1); mix-blend-mode: screen; } }
@media (max-width: 560px) { main { padding: 32px 16px 48px; } nav ul { padding: 10px 16px; } .notes dl { display: block; } .notes dd { margin-bottom: 8px; } .card { padding: 16px; } .digits { grid-template-columns: repeat(auto-fill, minmax(68px, 1fr)); } }
@media print { nav, .skip { display: none; } details.model::details-content { content-visibility: visible; block-size: auto; } body { background: none; } .card { break-inside: avoid; box-shadow: none; } main { padding: 0; } }
`;
