/** What the report's file holds, as the drawing wants it, and the words for it. */

export const data = JSON.parse(document.getElementById('data').textContent);
/** What is looked at: a window of the run, a moment in it, a lane. */
export const view = { fromMs: 0, toMs: data.lastsMs, atMs: 0, lane: 0 };

export const lanes = data.lanes.map((lane, number) => {
  const element = document.querySelector(`[data-lane="${number}"]`);
  const spans = lane.s.map(([kind, fromMs, toMs, label]) => ({ kind: data.spanKinds[kind], fromMs, toMs, label: data.labels[label] }));
  const marks = lane.m.map(([kind, atMs, label]) => ({ kind: data.markKinds[kind], atMs, label: data.labels[label] }));
  const counts = Object.entries(lane.d).map(([kind, pairs]) => ({ kind: data.markKinds[kind], pairs }));
  const programs = [...new Set(spans.flatMap(({ kind, label }) => (kind === 'run' ? [label] : [])))];
  const began = spans
    .filter(({ kind }) => kind === 'down' || kind === 'fault' || kind === 'unreachable')
    .map((span) => ({ ...span, atMs: span.fromMs }));
  // A fault that lasts is a mark and a span; it happened once.
  const isTwice = (mark) =>
    mark.kind === 'fault' && began.some(({ kind, atMs, label }) => kind === 'fault' && atMs === mark.atMs && label === mark.label);
  const happened = marks.filter((mark) => mark.kind !== 'record' && mark.kind !== 'replicated' && !isTwice(mark));
  const events = [...happened.map((mark) => ({ ...mark, isMark: true })), ...began].sort((a, b) => a.atMs - b.atMs);
  const [canvas, state] = [element.querySelector('canvas'), element.querySelector('.state')];
  return { name: lane.name, kind: lane.kind, spans, marks, counts, programs, events, element, canvas, state, isSeen: false };
});

const two = (value) => String(value).padStart(2, '0');
export const clockOf = (ms) => {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / 86400);
  const time = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':');
  return days > 0 || data.endsMs > 86400000 ? `${days}d ${time}` : time;
};

const SAYS = {
  down: 'no power',
  unreachable: 'no way to any gateway',
  violation: 'a promise broke',
  refusal: 'refused',
  restart: 'restart',
  lease: 'lease',
  fault: 'fault',
};
/** What an event or a state is called: as it says itself, unless that is a mere reason. */
export const nameOf = (kind, label) => (label === '' ? SAYS[kind] : kind === 'restart' ? `restart: ${label}` : label);
export const MANNER = { violation: 'bad', refusal: 'off', fault: 'off', unreachable: 'off' };

/** Parts of a sentence, the worst first: `[text, class]`. Events count that stand under the cursor, `nearMs` to either side. */
export const stateOf = ({ kind: what, spans, events }, atMs, nearMs) => {
  const now = spans.filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
  const near = events.filter((event) => event.isMark && Math.abs(event.atMs - atMs) <= nearMs);
  near.sort((a, b) => (b.kind === 'violation') - (a.kind === 'violation'));
  const parts = near.map(({ kind, label }) => [nameOf(kind, label), MANNER[kind] ?? '']);
  parts.push(...now.filter(({ kind }) => kind === 'fault').map(({ kind, label }) => [nameOf(kind, label), 'off']));
  if (now.some(({ kind }) => kind === 'down')) return [...parts, [what === 'board' ? SAYS.down : 'down', '']];
  const runs = now.filter(({ kind }) => kind === 'run').map(({ label }) => label);
  if (runs.length > 0) parts.push([`runs ${runs.join(', ')}`, '']);
  const home = now.find(({ kind }) => kind === 'home');
  if (home) parts.push([`home ${home.label}`, '']);
  if (now.some(({ kind }) => kind === 'unreachable')) parts.push([SAYS.unreachable, 'off']);
  return parts.length > 0 ? parts : [['up', '']];
};
