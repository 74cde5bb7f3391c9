/** The page as text: small, whole, and nothing in it that a name could end. How it looks and feels is tried in test/browser. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Mark, Span } from '../../../sim/report/report.ts';
import { LANES_MOST, pageData } from '../../../sim/report/timeline/data.ts';
import { PAGE_SCRIPTS, type PageParts, timelineOf } from '../../../sim/report/timeline/page.ts';
import { broke, held, hostile, large } from './reports.ts';

const folder = join(import.meta.dirname, '../../../sim/report/timeline');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const parts: PageParts = { css: read('page.css'), scripts: PAGE_SCRIPTS.map(read) };

test('the page is one file: it names nothing that would be fetched', () => {
  const page = timelineOf(held(), parts);
  expect(page).not.toMatch(/https?:|\bsrc=|@import|url\(|<link (?!rel="icon" href="data:,">)/);
  expect(page).toContain("default-src 'none'");
  // Neither script nor style ends before its end.
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  expect(page.match(/<\/style>/g)).toHaveLength(1);
  expect(page).not.toMatch(/^(import|export) /m);
});

test('tables hold what happened and what was billed, also without any script', () => {
  const page = timelineOf(broke(), parts);
  expect(page).toContain('<td class="number">1.250041</td>');
  expect(page).toContain('<th scope="row">museum</th><td>EUR</td><td class="number">190</td><td class="number">1.250001</td>');
  expect(page.match(/<tr class="needed">/g)).toHaveLength(2);
  expect(page).toContain('kitchen: record 12 of kitchen stands on two invoices');
  expect(page).toContain('--seed 7 --faults 0,2</code>');
  expect(timelineOf(held({ billed: [], incidents: [] }), parts)).toContain('Nothing was billed.');
});

test('whatever a name says, it stays a name', () => {
  const page = timelineOf(hostile(), parts);
  expect(page).not.toContain('<img');
  expect(page.match(/<script/g)).toHaveLength(2);
  expect(page).not.toContain('\u0000');
  const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? '';
  expect(JSON.parse(json)).toEqual(pageData(hostile()));
});

test('fifty lanes of thirty days fit into a mail', () => {
  const report = large();
  expect(report.lanes).toHaveLength(50);
  expect(report.lanes.reduce((sum, { marks }) => sum + marks.length, 0)).toBeGreaterThan(300_000);
  expect(timelineOf(report, parts).length).toBeLessThan(1_500_000);
});

test('dense marks are counted and none is dropped; what broke is kept exactly', () => {
  const marks: Mark[] = Array.from({ length: 10_000 }, (_, at) => ({ kind: 'record', atMs: at * 8640, label: '' }));
  const violations: Mark[] = Array.from({ length: 500 }, (_, at) => ({ kind: 'violation', atMs: at, label: `v${at}` }));
  const [lane] = pageData(held({ lanes: [{ name: 'a', kind: 'board', spans: [], marks: [...marks, ...violations] }] })).lanes;
  const counts = Object.values(lane?.d ?? {});
  expect(counts).toHaveLength(1);
  expect(counts[0]?.filter((_, at) => at % 2 === 1).reduce((a, b) => a + b, 0)).toBe(10_000);
  expect(lane?.m).toHaveLength(500);
});

test('spans without end in a lane are joined where no eye could part them', () => {
  const spans: Span[] = Array.from({ length: 20_000 }, (_, at) => ({ kind: 'down', fromMs: at * 4000, toMs: at * 4000 + 1000, label: '' }));
  const apart: Span = { kind: 'down', fromMs: 85_000_000, toMs: 85_000_001, label: '' };
  const { lanes } = pageData(held({ lanes: [{ name: 'a', kind: 'board', spans: [...spans, apart], marks: [] }] }));
  expect(lanes[0]?.s.map(([, from, to]) => [from, to])).toEqual([
    [0, 79_997_000],
    [85_000_000, 85_000_001],
  ]);
});

test('the axis ends where the last thing ends, which may be after the scenario', () => {
  const late: Mark = { kind: 'violation', atMs: 90_000_000, label: '' };
  const data = pageData(held({ lanes: [{ name: 'a', kind: 'board', spans: [], marks: [late] }] }));
  expect([data.endsMs, data.lastsMs]).toEqual([86_400_000, 90_000_000]);
});

test('of too many lanes the gateways and those with most trouble are shown, in their order', () => {
  const lanes = Array.from({ length: 1000 }, (_, at) => ({
    name: `board-${at}`,
    kind: 'board' as const,
    spans: [],
    marks: at === 777 ? [{ kind: 'violation' as const, atMs: 1, label: '' }] : [],
  }));
  const data = pageData(held({ lanes: [...lanes, { name: 'hall', kind: 'gateway', spans: [], marks: [] }] }));
  expect(data.lanes).toHaveLength(LANES_MOST);
  expect(data.hidden).toBe(1001 - LANES_MOST);
  expect(data.lanes.slice(-2).map(({ name }) => name)).toEqual(['board-777', 'hall']);
});
