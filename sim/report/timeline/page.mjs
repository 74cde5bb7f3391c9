/** Moves the cursor over the lanes. Runs in the reader's browser, inside the report's own file, and asks nobody for anything. */
import { drawAxis, drawLane, readPaint } from './draw.mjs';
import { clockOf, data, lanes, MANNER, nameOf, stateOf, view } from './lanes.mjs';

const section = document.querySelector('.chart');
const table = section.querySelector('.lanes');
const strip = table.querySelector('.axis .strip');
const slider = table.querySelector('.slider');
const clock = table.querySelector('output');
const cursor = table.querySelector('.cursor');

let isDue = false;
const draw = () => {
  isDue = false;
  drawAxis();
  for (const lane of lanes) if (lane.isSeen) drawLane(lane);
};
const redraw = () => {
  if (!isDue) requestAnimationFrame(draw);
  isDue = true;
};

const tellState = (lane, parts) => {
  lane.state.replaceChildren(
    ...parts.flatMap(([text, kind], at) => {
      const part = document.createElement('span');
      part.textContent = text;
      part.className = kind;
      return at === 0 ? [part] : [' · ', part];
    }),
  );
};

/** Of the chosen lane, around the cursor; told anew when either of them moves on. */
const EVENTS_MOST = 60;
let told = '';
const tellEvents = () => {
  const lane = lanes[view.lane];
  const before = lane ? lane.events.findLastIndex(({ atMs }) => atMs <= view.atMs) : -1;
  const first = Math.max(0, Math.min(before - EVENTS_MOST / 2, (lane?.events.length ?? 0) - EVENTS_MOST));
  const key = `${view.lane} ${first} ${before}`;
  if (key === told) return;
  told = key;
  section.querySelector('.events h3').textContent = lane ? `Events of ${lane.name}` : '';
  section.querySelector('.events p').hidden = (lane?.events.length ?? 0) > 0;
  section.querySelector('.events ol').replaceChildren(
    ...(lane?.events.slice(first, first + EVENTS_MOST) ?? []).map(({ kind, atMs, toMs, label }, at) => {
      const item = document.createElement('li');
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'at', textContent: clockOf(atMs) });
      button.dataset.at = String(atMs);
      const text = document.createElement('span');
      text.textContent = toMs === undefined ? nameOf(kind, label) : `${nameOf(kind, label)} until ${clockOf(toMs)}`;
      text.className = MANNER[kind] ?? '';
      if (first + at === before) item.setAttribute('aria-current', 'true');
      item.append(button, ' ', text);
      return item;
    }),
  );
};

const show = () => {
  const span = view.toMs - view.fromMs;
  const box = strip.getBoundingClientRect();
  const left = box.left - table.getBoundingClientRect().left + ((view.atMs - view.fromMs) / span) * box.width;
  cursor.style.transform = `translateX(${left}px)`;
  clock.textContent = clockOf(view.atMs);
  const nearMs = (span / Math.max(1, box.width)) * 4;
  for (const [number, lane] of lanes.entries()) {
    tellState(lane, stateOf(lane, view.atMs, nearMs));
    lane.element.classList.toggle('chosen', number === view.lane);
  }
  tellEvents();
  const lane = lanes[view.lane];
  const says = lane ? `${lane.name}: ${lane.state.textContent}` : '';
  slider.setAttribute('aria-valuenow', String(Math.round(view.atMs)));
  slider.setAttribute('aria-valuetext', `${clockOf(view.atMs)}, ${says}`);
};

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

const look = (fromMs, spanMs) => {
  const span = clamp(spanMs, Math.min(1000, data.lastsMs), data.lastsMs);
  view.fromMs = clamp(fromMs, 0, data.lastsMs - span);
  view.toMs = view.fromMs + span;
  redraw();
};

const moveTo = (atMs) => {
  view.atMs = clamp(atMs, 0, data.lastsMs);
  const span = view.toMs - view.fromMs;
  if (view.atMs < view.fromMs || view.atMs > view.toMs) look(view.atMs - span / 2, span);
  show();
};

const zoom = (factor) => {
  const span = (view.toMs - view.fromMs) * factor;
  const share = (view.atMs - view.fromMs) / (view.toMs - view.fromMs);
  look(view.atMs - share * span, span);
  show();
};

const isShown = (number) => lanes[number] !== undefined && !lanes[number].element.hidden;

const choose = (step) => {
  let number = view.lane + step;
  while (lanes[number] !== undefined && !isShown(number)) number += step;
  if (lanes[number] === undefined) return;
  view.lane = number;
  lanes[number].element.scrollIntoView({ block: 'nearest' });
  show();
};

const jump = (direction) => {
  const events = lanes[view.lane]?.events ?? [];
  const next = direction > 0 ? events.find(({ atMs }) => atMs > view.atMs) : events.findLast(({ atMs }) => atMs < view.atMs);
  if (next) moveTo(next.atMs);
};

const deeds = {
  before: () => jump(-1),
  after: () => jump(1),
  in: () => zoom(1 / 2),
  out: () => zoom(2),
  all: () => {
    look(0, data.lastsMs);
    show();
  },
};

const keys = {
  ArrowLeft: (event) => (event.shiftKey ? jump(-1) : moveTo(view.atMs - (view.toMs - view.fromMs) / 200)),
  ArrowRight: (event) => (event.shiftKey ? jump(1) : moveTo(view.atMs + (view.toMs - view.fromMs) / 200)),
  ArrowUp: () => choose(-1),
  ArrowDown: () => choose(1),
  PageUp: () => moveTo(view.atMs - (view.toMs - view.fromMs) / 10),
  PageDown: () => moveTo(view.atMs + (view.toMs - view.fromMs) / 10),
  Home: () => moveTo(0),
  End: () => moveTo(data.lastsMs),
  '+': deeds.in,
  '=': deeds.in,
  '-': deeds.out,
  0: deeds.all,
};

slider.addEventListener('keydown', (event) => {
  const deed = keys[event.key];
  if (!deed || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  deed(event);
});

/** The same for the axis and every lane: press and drag. */
const point = (event) => {
  const pressed = event.target.closest('.strip');
  if (!pressed || (event.type === 'pointermove' && event.buttons === 0)) return;
  const row = pressed.closest('.lane');
  if (row && event.type === 'pointerdown') view.lane = Number(row.dataset.lane);
  const box = strip.getBoundingClientRect();
  moveTo(view.fromMs + ((event.clientX - box.left) / box.width) * (view.toMs - view.fromMs));
  if (event.type === 'pointerdown') slider.focus({ preventScroll: true });
};
table.addEventListener('pointerdown', point);
table.addEventListener('pointermove', point);

section.querySelector('.tools').addEventListener('click', (event) => deeds[event.target.closest('button')?.dataset.do]?.());

section.querySelector('.find input').addEventListener('input', (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const { element, name } of lanes) element.hidden = !name.toLowerCase().includes(wanted);
  if (!isShown(view.lane)) choose(1);
  if (!isShown(view.lane)) choose(-1);
});

document.addEventListener('click', (event) => {
  const at = event.target.closest('.at')?.dataset.at;
  if (at === undefined) return;
  moveTo(Number(at));
  section.scrollIntoView({ block: 'start' });
  slider.focus({ preventScroll: true });
});

/** Fifty lanes of thirty days, and only those on the screen are drawn. */
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const lane = lanes.find(({ element }) => element === target);
      lane.isSeen = isIntersecting;
      if (isIntersecting) drawLane(lane);
    }
  },
  { rootMargin: '600px' },
);
addEventListener('beforeprint', () => lanes.forEach(drawLane));
readPaint();
// Begins at what broke, if anything did.
const broken = lanes.findIndex(({ marks }) => marks.some(({ kind }) => kind === 'violation'));
if (broken >= 0) {
  view.lane = broken;
  view.atMs = lanes[broken].marks.find(({ kind }) => kind === 'violation').atMs;
}
for (const { element } of lanes) seen.observe(element);
new ResizeObserver(() => {
  redraw();
  show();
}).observe(table);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  readPaint();
  redraw();
});
