/** The one page: needs nothing but itself, follows the reader's light or dark, greys a reading that grows old. */
const STYLE = `
:root { color-scheme: light dark; --dim: color-mix(in srgb, CanvasText 60%, Canvas); }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
#value { font-size: 4rem; line-height: 1.1; font-variant-numeric: tabular-nums; margin: 0; }
.stale, .gone { color: var(--dim); }
code { font-size: .9em; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin-top: 2rem; }
th, td { text-align: start; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid color-mix(in srgb, CanvasText 20%, Canvas); vertical-align: top; }
td:nth-child(2) { font-variant-numeric: tabular-nums; white-space: nowrap; }
`;

const SCRIPT = `
const byId = (id) => document.getElementById(id);
const show = (reading) => reading.value === null ? '–' : reading.value + ' ' + reading.unit;
let last = null;
const cell = (text) => Object.assign(document.createElement('td'), { textContent: text });
const paint = (answer) => {
  byId('value').textContent = show(answer);
  byId('kind').textContent = answer.kind ?? 'no reading yet';
  byId('source').textContent = answer.source ?? '';
  byId('rows').replaceChildren(...answer.readings.map((reading) => {
    const row = document.createElement('tr');
    row.className = reading.state === 'live' ? '' : 'gone';
    row.append(cell(reading.label ? reading.kind + ' (' + reading.label + ')' : reading.kind), cell(show(reading)), cell(reading.why ?? reading.source));
    return row;
  }));
};
const poll = async () => {
  try {
    const response = await fetch('readings', { signal: AbortSignal.timeout(5000) });
    const answer = await response.json();
    last = performance.now() - answer.ageMs;
    paint(answer);
  } catch { /* the age below tells */ }
};
const age = () => {
  const seconds = last === null ? Infinity : (performance.now() - last) / 1000;
  byId('age').textContent = last === null ? 'waiting for the board' : 'read ' + Math.round(seconds) + ' s ago';
  byId('value').classList.toggle('stale', seconds > 5);
};
setInterval(poll, 1000);
setInterval(age, 500);
poll();
`;

export const PAGE = {
  style: STYLE,
  script: SCRIPT,
  html: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hello-sensor</title>
<style>${STYLE}</style>
<h1>hello-sensor</h1>
<p id="value">–</p>
<p><span id="kind">no reading yet</span>, <span id="age" role="status">waiting for the board</span><br><code id="source"></code></p>
<table>
<thead><tr><th>What</th><th>Value</th><th>Source</th></tr></thead>
<tbody id="rows"></tbody>
</table>
<p><a href="readings">The same as JSON</a></p>
<script>${SCRIPT}</script>
</html>
`,
};
