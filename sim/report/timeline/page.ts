/** The report of a run as one HTML file that needs nothing beside it. Everything but the drawing stands in it as tables, script or none. */
import { plural } from '../../../runtime/protocol/printable.ts';
import { failuresOf, replayCommand } from '../failure.ts';
import { escaped, scriptJson } from '../markup.ts';
import type { Billed, RunReport } from '../report.ts';
import { amount, duration, moment, withNames } from '../words.ts';
import { type PageData, pageData } from './data.ts';

/** The texts of the files beside this one: whoever can read files passes them in. */
export interface PageParts {
  css: string;
  /** Of PAGE_SCRIPTS, in that order. */
  scripts: string[];
}

/** Modules to their readers; in the page one script, for which nothing need be loaded. */
export const PAGE_SCRIPTS = ['lanes.mjs', 'draw.mjs', 'page.mjs'] as const;

const inlined = (scripts: string[]): string =>
  scripts.map((text) => text.replace(/^import [^;]*;\n/gm, '').replace(/^export (?=const )/gm, '')).join('\n');

const INCIDENTS_MOST = 2000;

const row = (cells: string[], attributes = ''): string => `<tr${attributes}>${cells.join('')}</tr>`;
const td = (text: string, kind = ''): string => `<td${kind === '' ? '' : ` class="${kind}"`}>${text}</td>`;
const th = (text: string, kind = ''): string => `<th scope="col"${kind === '' ? '' : ` class="${kind}"`}>${text}</th>`;

const jump = (atMs: number): string => `<button type="button" class="at" data-at="${atMs}">${moment(atMs)}</button>`;

const figure = (title: string, value: string, bad = false): string =>
  `<div class="figure${bad ? ' bad' : ''}"><dt>${escaped(title)}</dt><dd>${escaped(value)}</dd></div>`;

const count = (value: number): string => value.toLocaleString('en-US').replaceAll(',', '\u202f');

const figures = (report: RunReport): string => {
  const faults = Object.values(report.faults).reduce((sum, one) => sum + one, 0);
  return `<dl class="figures">${[
    figure('boards', count(report.boards)),
    figure('gateways', count(report.gateways)),
    figure('simulated', duration(report.simulatedMs)),
    figure('faults', count(faults)),
    figure('records signed', count(report.recordsSigned)),
    figure('records lost', count(report.recordsLost), report.recordsLost > 0),
    figure('billed twice', count(report.recordsBilledTwice), report.recordsBilledTwice > 0),
    figure('stop overlap', duration(report.overlapStopMs), report.overlapStopMs > 0),
    figure('worst re-home', duration(report.worstRehomeMs)),
  ].join('')}</dl>`;
};

const failures = (report: RunReport): string => {
  const found = failuresOf(report);
  if (found.length === 0) return '';
  const at = report.violations.map(({ atMs }) => atMs);
  const items = found.map(({ title, says }, number) => {
    const when = at[number];
    return `<li><strong>${escaped(title)}</strong> <span>${escaped(says)}</span>${when === undefined ? '' : ` ${jump(when)}`}</li>`;
  });
  return `<section class="broke" aria-labelledby="broke-title"><h2 id="broke-title">What broke</h2><ul>${items.join('')}</ul></section>`;
};

const expectations = ({ expectations: all, names }: RunReport): string =>
  all.length === 0
    ? ''
    : `<section aria-labelledby="expect-title"><h2 id="expect-title">What was expected</h2><ul class="expect">${all
        .map(
          ({ says, held, detail }) =>
            `<li class="${held ? 'held' : 'missed'}"><b>${held ? 'held' : 'not met'}</b> <span>${escaped(says)}</span> <small>${escaped(withNames(detail, names))}</small></li>`,
        )
        .join('')}</ul></section>`;

const replay = (report: RunReport): string =>
  `<p class="replay"><span>To run it again</span> <code tabindex="0">${escaped(replayCommand(report))}</code></p>`;

const incidents = ({ incidents: all, shrunk, ok }: RunReport): string => {
  const needed = new Set(shrunk ?? []);
  const rows = all.slice(0, INCIDENTS_MOST).map(({ atMs, kind, on, forMs, with: more }, number) =>
    row(
      [
        td(String(number), 'number'),
        td(jump(atMs)),
        td(escaped(kind)),
        td(escaped(on)),
        td(forMs === null ? '' : duration(forMs)),
        td(
          escaped(
            Object.entries(more)
              .map(([name, value]) => `${name}: ${value}`)
              .join(', '),
          ),
        ),
      ],
      needed.has(number) ? ' class="needed"' : '',
    ),
  );
  const rest = all.length - rows.length;
  const shrunkSays = shrunk === null ? '' : ok ? ' Only those marked happened.' : ' Those marked are enough to break it.';
  return `<section aria-labelledby="faults-title"><h2 id="faults-title">Faults and deeds</h2>
<p>${all.length === 0 ? 'None.' : `${plural(all.length, 'fault or deed', 'faults and deeds')}, numbered as <code>--faults</code> counts.${shrunkSays}${rest > 0 ? ` The first ${rows.length} are shown.` : ''}`}</p>
${
  all.length === 0
    ? ''
    : `<div class="scroll" tabindex="0" role="group" aria-label="Faults and deeds"><table><thead>${row([th('#', 'number'), th('when'), th('what'), th('on'), th('for'), th('with')])}</thead><tbody>${rows.join('\n')}</tbody></table></div>`
}</section>`;
};

const totals = (billed: Billed[]): string[] =>
  [...Map.groupBy(billed, ({ currency }) => currency)]
    .filter(([, rows]) => rows.length > 1)
    .map(([currency, rows]) =>
      ledgerRow(
        {
          workload: 'all',
          currency,
          chargedMicro: rows.reduce((sum, { chargedMicro }) => sum + chargedMicro, 0n),
          earnedMicro: rows.reduce((sum, { earnedMicro }) => sum + earnedMicro, 0n),
          feeMicro: rows.reduce((sum, { feeMicro }) => sum + feeMicro, 0n),
          records: rows.reduce((sum, { records }) => sum + records, 0),
        },
        ' class="total"',
      ),
    );

const ledgerRow = ({ workload, currency, chargedMicro, earnedMicro, feeMicro, records }: Billed, attributes = ''): string =>
  row(
    [
      `<th scope="row">${escaped(workload)}</th>`,
      td(escaped(currency)),
      td(count(records), 'number'),
      ...[chargedMicro, earnedMicro, feeMicro, chargedMicro - earnedMicro - feeMicro].map((micro) => td(amount(micro), 'number')),
    ],
    attributes,
  );

const ledger = ({ billed }: RunReport): string =>
  `<section aria-labelledby="ledger-title"><h2 id="ledger-title">The ledger in the end</h2>${
    billed.length === 0
      ? '<p>Nothing was billed.</p>'
      : `<div class="scroll" tabindex="0" role="group" aria-label="The ledger"><table><thead>${row([
          th('workload'),
          th('currency'),
          ...['records', 'charged', 'earned by owners', 'fees', 'rounding'].map((title) => th(title, 'number')),
        ])}</thead><tbody>${billed.map((one) => ledgerRow(one)).join('')}${totals(billed).join('')}</tbody></table></div>`
  }</section>`;

const LEGEND: [kind: string, says: string][] = [
  ['run', 'program runs'],
  ['home', 'home at a gateway'],
  ['unreachable', 'no way to any gateway'],
  ['down', 'no power, or down'],
  ['fault', 'fault'],
  ['record', 'usage records'],
  ['restart', 'restart'],
  ['lease', 'lease'],
  ['refusal', 'refusal'],
  ['violation', 'a promise broke'],
];

const chart = (data: PageData): string => {
  const lanes = data.lanes.map(
    ({ name, kind }, number) =>
      `<div role="row" class="lane ${kind}" data-lane="${number}"><div role="rowheader" class="name">${escaped(name)}</div><div role="cell" class="strip"><canvas aria-hidden="true"></canvas></div><div role="cell" class="state"></div></div>`,
  );
  return `<section class="chart" aria-labelledby="chart-title">
<div class="bar"><h2 id="chart-title">Timeline</h2>
<div class="tools" role="group" aria-label="Move and zoom"><button type="button" data-do="before" title="Previous event (Shift ←)">‹<span class="sr"> previous event</span></button><button type="button" data-do="after" title="Next event (Shift →)">›<span class="sr"> next event</span></button><button type="button" data-do="out" title="Zoom out (−)">−<span class="sr"> zoom out</span></button><button type="button" data-do="in" title="Zoom in (+)">+<span class="sr"> zoom in</span></button><button type="button" data-do="all" title="The whole run (0)">all</button></div>
<label class="find"><span class="sr">Show lanes whose name contains</span><input type="search" placeholder="Find a lane" autocomplete="off"></label></div>
<ul class="legend">${LEGEND.map(([kind, says]) => `<li class="${kind}"><i aria-hidden="true"></i>${says}</li>`).join('')}</ul>
${data.hidden > 0 ? `<p>${plural(data.lanes.length, 'lane')} of ${data.lanes.length + data.hidden}: those with most trouble.</p>` : ''}
<noscript><p>The lanes are drawn by a script in this file; everything else is in the tables below.</p></noscript>
<div class="lanes" role="table" aria-label="State of every board and gateway at the cursor">
<div role="row" class="axis"><div role="columnheader" class="name"><span class="sr">Lane</span></div><div role="columnheader" class="strip"><canvas aria-hidden="true"></canvas><div class="slider" role="slider" tabindex="0" aria-label="Cursor in time" aria-valuemin="0" aria-valuemax="${data.lastsMs}" aria-valuenow="0" aria-valuetext="" aria-describedby="keys"></div></div><div role="columnheader" class="state"><output></output></div></div>
${lanes.join('\n')}
<div class="cursor" aria-hidden="true"></div></div>
<div class="events"><h3></h3><p>None.</p><ol></ol></div>
<p id="keys" class="keys"><kbd>←</kbd> <kbd>→</kbd> move the cursor, with <kbd>Shift</kbd> to the next event of the lane; <kbd>↑</kbd> <kbd>↓</kbd> choose a lane; <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom.</p>
</section>`;
};

/** Nothing is fetched, whatever a name in a scenario says: the browser itself is told so. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

export const timelineOf = (report: RunReport, { css, scripts }: PageParts): string => {
  const data = pageData(report);
  const wall = `${report.wallSeconds.toFixed(1)} s of wall time, ${count(report.events)} events`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escaped(report.scenario)} ${report.ok ? 'held' : 'broke'}, seed ${report.seed}</title>
<style>
${css}</style>
</head>
<body>
<header>
<p class="verdict ${report.ok ? 'held' : 'broke'}">${report.ok ? 'held' : 'broke'}</p>
<h1>${escaped(report.scenario)}</h1>
<p class="about">${escaped(report.about)}</p>
<p class="meta">seed <b>${report.seed}</b> · tier <b>${report.tier.toUpperCase()}</b> · ${wall} · trace <code>${escaped(report.traceHash)}</code></p>
</header>
<main>
${figures(report)}
${failures(report)}
${replay(report)}
${chart(data)}
${expectations(report)}
${incidents(report)}
${ledger(report)}
</main>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>
${inlined(scripts)}</script>
</body>
</html>
`;
};
