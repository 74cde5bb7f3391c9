/** Draws one lane, or the axis, into its canvas. Colours come from the style sheet. */
import { clockOf, data, lanes, view } from './lanes.mjs';

const HEIGHT = 52;
const axis = document.querySelector('.axis canvas');

let paint = {};

/** Colours live in the style sheet, once for light and once for dark. */
export const readPaint = () => {
  const style = getComputedStyle(document.documentElement);
  const names = ['ink', 'dim', 'line', 'track', 'fault', 'fault-soft', 'away', 'down', 'record', 'lease', 'broke', 'on-bar', 'card'];
  paint = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  for (const name of ['run', 'home']) paint[name] = style.getPropertyValue(`--${name}`).trim().split(/\s+/);
};

/** A colour for each name, the same in every lane. */
const orderOf = (kind) =>
  [...new Set(lanes.flatMap(({ spans }) => spans.flatMap((span) => (span.kind === kind ? [span.label] : []))))].sort();
const order = { run: orderOf('run'), home: orderOf('home') };
const colourOf = (kind, label) => paint[kind][order[kind].indexOf(label) % paint[kind].length];

const prepare = (canvas, height) => {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  pen.font = '11px system-ui, sans-serif';
  pen.textBaseline = 'middle';
  const x = (ms) => ((ms - view.fromMs) / (view.toMs - view.fromMs)) * width;
  return { pen, width, x, written: new Map() };
};

/** From a span to pixels, at least one wide; null when it is out of sight. */
const across = ({ fromMs, toMs }, { x, width }) => {
  if (toMs < view.fromMs || fromMs > view.toMs) return null;
  const left = Math.max(0, x(fromMs));
  return { left, wide: Math.max(1, Math.min(width, x(toMs)) - left) };
};

const hatch = (pen, { left, wide }, top, height, colour, slant) => {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, wide, height);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = slant ? 1 : 3;
  pen.beginPath();
  // Stripes keep their place while the window moves over them.
  for (let at = Math.floor(left / 6) * 6 - height; at < left + wide + height; at += 6) {
    pen.moveTo(at, top + height);
    pen.lineTo(slant ? at + height : at, top);
  }
  pen.stroke();
  pen.restore();
};

/** Text inside a bar if it fits, so that it need not be looked up; not again and again along a lane. */
const write = ({ pen, written }, text, { left, wide }, middle) => {
  if (wide < 24 || left < (written.get(text) ?? 0) || pen.measureText(text).width > wide - 8) return;
  written.set(text, left + 220);
  pen.fillStyle = paint['on-bar'];
  pen.fillText(text, left + 4, middle);
};

const drawSpan = (frame, span, programs) => {
  const box = across(span, frame);
  if (!box) return;
  const { pen } = frame;
  if (span.kind === 'fault') {
    pen.fillStyle = paint['fault-soft'];
    pen.fillRect(box.left, 0, box.wide, HEIGHT);
    pen.fillStyle = paint.fault;
    pen.fillRect(box.left, 0, box.wide, 3);
  } else if (span.kind === 'home') {
    pen.fillStyle = colourOf('home', span.label);
    pen.fillRect(box.left, 5, box.wide, 4);
  } else if (span.kind === 'unreachable') {
    hatch(pen, box, 5, 4, paint.away, false);
  } else if (span.kind === 'run') {
    const rows = Math.min(programs.length, 4);
    const height = Math.floor(28 / rows) - (rows > 1 ? 1 : 0);
    const top = 12 + (programs.indexOf(span.label) % rows) * Math.floor(28 / rows);
    pen.fillStyle = colourOf('run', span.label);
    pen.fillRect(box.left, top, box.wide, height);
    if (height >= 11) write(frame, span.label, box, top + height / 2 + 0.5);
  } else if (span.kind === 'down') {
    pen.fillStyle = paint.track;
    pen.fillRect(box.left, 4, box.wide, HEIGHT - 5);
    hatch(pen, box, 4, HEIGHT - 5, paint.down, true);
  }
};

const COLUMN = 3;

/** Many to a pixel: how many there are is how tall it stands. A step's count is spread over the columns that it covers, or there would be a comb. */
const drawCounts = ({ pen, x, width }, { kind, pairs }) => {
  if (kind === 'replicated') return;
  const columns = new Float64Array(Math.ceil(width / COLUMN));
  for (let i = 0; i < pairs.length; i += 2) {
    const [from, to] = [x(pairs[i] * data.stepMs) / COLUMN, x((pairs[i] + 1) * data.stepMs) / COLUMN];
    for (let at = Math.max(0, Math.floor(from)); at < Math.min(to, columns.length); at++) {
      columns[at] += (pairs[i + 1] * (Math.min(to, at + 1) - Math.max(from, at))) / (to - from);
    }
  }
  const most = columns.reduce((a, b) => Math.max(a, b), 0);
  // One path: columns filled one by one show seams where they meet between two pixels.
  pen.fillStyle = kind === 'record' ? paint.record : paint.fault;
  pen.beginPath();
  for (const [at, count] of columns.entries()) {
    const height = count < most / 100 ? 0 : 2 + Math.round((6 * count) / most);
    pen.rect(at * COLUMN, HEIGHT - 1 - height, COLUMN, height);
  }
  pen.fill();
};

/** `corners`: left, top, left, top, … */
const shape = (pen, colour, ...corners) => {
  pen.fillStyle = colour;
  pen.beginPath();
  for (let i = 0; i < corners.length; i += 2) pen.lineTo(corners[i], corners[i + 1]);
  pen.fill();
};

const drawMark = ({ pen, x }, { kind, atMs }) => {
  if (atMs < view.fromMs || atMs > view.toMs) return;
  const at = x(atMs);
  if (kind === 'record') {
    pen.fillStyle = paint.record;
    pen.fillRect(at - 0.5, HEIGHT - 9, 1, 8);
  } else if (kind === 'restart') {
    shape(pen, paint.ink, at, 31, at + 4.5, 40, at - 4.5, 40);
  } else if (kind === 'lease') {
    shape(pen, paint.lease, at, 10, at + 3.5, 13.5, at, 17, at - 3.5, 13.5);
  } else if (kind === 'fault') {
    shape(pen, paint.fault, at - 4.5, 0, at + 4.5, 0, at, 8);
  } else if (kind === 'refusal') {
    pen.strokeStyle = paint.fault;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(at, HEIGHT - 6, 3, 0, 2 * Math.PI);
    pen.stroke();
  } else if (kind === 'violation') {
    pen.fillStyle = paint.broke;
    pen.fillRect(at - 1.5, 0, 3, HEIGHT);
    shape(pen, paint.broke, at - 6, 0, at + 6, 0, at, 9);
  }
};

const LAYERS = ['fault', 'home', 'unreachable', 'run', 'down'];
const ABOVE = ['record', 'lease', 'restart', 'refusal', 'fault', 'violation'];

export const drawLane = (lane) => {
  const frame = prepare(lane.canvas, HEIGHT);
  frame.pen.fillStyle = paint.track;
  frame.pen.fillRect(0, 12, frame.width, 28);
  for (const kind of LAYERS) for (const span of lane.spans) if (span.kind === kind) drawSpan(frame, span, lane.programs);
  for (const counts of lane.counts) drawCounts(frame, counts);
  for (const kind of ABOVE) for (const mark of lane.marks) if (mark.kind === kind) drawMark(frame, mark);
};

const TICKS = [1, 5, 15, 60, 300, 900, 3600, 10800, 21600, 43200, 86400, 172800, 432000, 864000, 2592000].map((seconds) => seconds * 1000);

export const drawAxis = () => {
  const { pen, width, x } = prepare(axis, 30);
  const room = Math.max(2, Math.floor(width / 92));
  const step = TICKS.find((tick) => (view.toMs - view.fromMs) / tick <= room) ?? TICKS.at(-1);
  pen.textBaseline = 'alphabetic';
  for (let ms = Math.ceil(view.fromMs / step) * step; ms <= view.toMs; ms += step) {
    const at = Math.min(x(ms), width - 0.5);
    pen.fillStyle = paint.line;
    pen.fillRect(at, 20, 1, 10);
    const days = Math.floor(ms / 86400000);
    const text = step >= 86400000 ? `day ${days}` : clockOf(ms).replace(/:00$/, '');
    const wide = pen.measureText(text).width;
    pen.fillStyle = paint.dim;
    if (at + wide <= width || width - wide > at - 40) pen.fillText(text, Math.min(at, width - wide), 15);
  }
};
