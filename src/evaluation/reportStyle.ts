/** The style of the report: light or dark as the reader's system is, and legible on paper. */
export const reportStyle = `
:root { color-scheme: light dark; --text: #1c2024; --soft: #5c6670; --line: #dfe3e7; --ground: #ffffff; --raised: #f5f7f9; --bar: #2f6fb3; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7ea; --soft: #9aa4ae; --line: #33393f; --ground: #17191c; --raised: #1f2327; --bar: #6aa9e9; --bad: #ff897d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0; }
h2 { font-size: 18px; margin: 40px 0 4px; }
h2 small { color: var(--soft); font-weight: normal; font-size: 14px; }
h3 { font-size: 14px; margin: 0; }
p { margin: 4px 0; }
.path, .meaning { color: var(--soft); overflow-wrap: anywhere; }
.tallies { list-style: none; display: flex; flex-wrap: wrap; gap: 8px 28px; padding: 0; margin: 16px 0 0; }
.tallies b { font-size: 22px; margin-right: 4px; font-variant-numeric: tabular-nums; }
.tallies .bad b { color: var(--bad); }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { color: var(--soft); font-weight: 600; }
.scroll table { width: 100%; }
.scroll { max-height: 420px; overflow: auto; }
.plain th { font-weight: 600; white-space: nowrap; }
.paper { border-top: 2px solid var(--text); border-bottom: 2px solid var(--text); }
.paper th, .paper td { padding: 4px 18px 4px 0; }
.paper thead th, .paper td { text-align: center; }
.paper thead th[rowspan] { text-align: left; vertical-align: bottom; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 12px; margin-top: 12px; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px; min-width: 0; }
.card svg { display: block; width: 100%; height: auto; margin: 6px 0; color: var(--text); fill: var(--bar); }
.card svg text { fill: var(--soft); }
.card .meaning { font-size: 12px; }
.numbers { color: var(--soft); font-size: 12px; }
.numbers b { color: var(--text); font-size: 15px; margin-left: 8px; }
.numbers b:first-child { margin-left: 0; }
.numbers span { white-space: nowrap; margin-left: 8px; }
.same { color: var(--soft); padding: 24px 0; text-align: center; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(350px, 1fr)); gap: 16px; margin-top: 12px; }
figure { margin: 0; min-width: 0; }
.strip { display: flex; gap: 2px; }
.strip img { flex: 1 1 0; min-width: 0; width: 0; object-fit: contain; border-radius: 2px; }
figcaption { font-size: 12px; color: var(--soft); overflow-wrap: anywhere; }
figcaption b { color: var(--text); margin-right: 6px; }
@media print { section { break-inside: avoid; } .scroll { max-height: none; } }
`;
