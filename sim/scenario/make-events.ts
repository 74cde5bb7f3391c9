/** Incidents, the mix and expectations, with everybody they name looked up. */
import { HARDWARE } from '../hardware/profiles.ts';
import { SCENARIO } from './bounds.ts';
import { type Cast, whoIs } from './cast.ts';
import type { ExpectRow, IncidentRow, MixRow } from './event-file.ts';
import { FAULT_KINDS, faultRow } from './faults.ts';
import { refuseEarly, refuseVain } from './in-vain.ts';
import { observableRow } from './observables.ts';
import { unknownWord } from './problem.ts';
import type { Expectation, Incident, MixSpec } from './scenario.ts';
import type { Placed } from './shape.ts';
import { formatQuantity } from './units.ts';

const ms = (value: number): string => formatQuantity('ms', value);

const withoutNulls = (extra: Record<string, number | string | null>): Record<string, number | string> => {
  const out: Record<string, number | string> = {};
  for (const [key, value] of Object.entries(extra)) if (value !== null) out[key] = value;
  return out;
};

const inTime = (cast: Cast, at: Placed<number>, lastsMs: number): void => {
  if (at.sound && at.value >= lastsMs) {
    cast.desk.report(at.at, {
      what: `${ms(at.value)} is after the end`,
      why: `the scenario lasts ${ms(lastsMs)}`,
      next: 'Let it happen earlier, or let the scenario last longer.',
    });
  }
};

/** Of the boards whose system is updated the first of each kind of image. */
const firstOfKinds = (cast: Cast, names: string[]): string[] => {
  const kinds = new Map<string, string>();
  for (const { name, profile, updates } of cast.boards) {
    const { image } = HARDWARE[profile];
    if (updates !== null && names.includes(name) && !kinds.has(image)) kinds.set(image, name);
  }
  return [...kinds.values()];
};

const everybody = (cast: Cast, { row, extra }: IncidentRow | MixRow): string[] => {
  const { kind, on } = row;
  if (kind.value === null) return [];
  const { on: whom } = faultRow(kind.value);
  for (const one of on) refuseVain(cast, kind.value, one, extra);
  const names = [...new Set(on.flatMap((one) => whoIs(cast, whom, one)))];
  return faultRow(kind.value).isOfKind ? firstOfKinds(cast, names) : names;
};

/** One incident for each of those whom a row names, in the order of the file. */
export const incidentsOf = (cast: Cast, rows: IncidentRow[], lastsMs: number): Incident[] => {
  const out: Incident[] = [];
  for (const incident of rows) {
    const { row, extra } = incident;
    inTime(cast, row.at, lastsMs);
    const { value: kind } = row.kind;
    const names = everybody(cast, incident);
    if (kind === 'old-disk') refuseEarly(cast, row.at);
    if (kind === null || tooMany(cast, row.kind.at, out.length + names.length)) continue;
    for (const on of names) out.push({ atMs: row.at.value, kind, on, forMs: row.for?.value ?? null, with: withoutNulls(extra) });
  }
  return out;
};

const tooMany = (cast: Cast, at: number, incidents: number): boolean => {
  // Not a number where a quantity could not be read; that has been said.
  if (!(incidents > SCENARIO.incidents)) return false;
  const what = `about ${Math.round(incidents)} incidents`;
  cast.desk.report(at, { what, why: `one run holds ${SCENARIO.incidents}`, next: 'Name fewer, or let them happen less often.' });
  return true;
};

export const mixOf = (cast: Cast, rows: MixRow[], lastsMs: number, before: number): MixSpec[] => {
  const out: MixSpec[] = [];
  let likely = before;
  for (const mixed of rows) {
    const { row, extra } = mixed;
    const { value: kind } = row.kind;
    const fromMs = row.from?.value ?? 0;
    const untilMs = row.until?.value ?? lastsMs;
    if (row.from !== null) inTime(cast, row.from, lastsMs);
    if (row.until !== null && fromMs >= untilMs) {
      cast.desk.report(row.until.at, { what: 'it ends before it begins', next: `Write more than ${ms(fromMs)}.` });
    }
    const on = everybody(cast, mixed);
    if (kind === 'old-disk') refuseEarly(cast, row.until ?? { ...row.kind, value: lastsMs });
    if (kind === null) continue;
    likely += (on.length * (Math.min(untilMs, lastsMs) - fromMs)) / row.every.value;
    if (tooMany(cast, row.kind.at, likely)) break;
    const forMs = row.for?.value ?? null;
    out.push({ kind, on, everyMs: row.every.value, forMs, with: withoutNulls(extra), fromMs, untilMs: Math.min(untilMs, lastsMs) });
  }
  return out;
};

type Body = NonNullable<ExpectRow>['body'];

/** A battery that nobody has cannot be looked at. */
const checkBattery = (cast: Cast, { see, of }: Body): void => {
  if (see.value !== 'battery') return;
  const names = of === null ? null : new Set(whoIs(cast, 'board', of));
  const looked = cast.boards.filter(({ name }) => names === null || names.has(name));
  if (looked.length === 0 || looked.some(({ power }) => power.kind !== 'mains')) return;
  cast.desk.report(of?.at ?? see.at, {
    what: `${of?.value ?? 'no board'} has ${of === null ? 'a' : 'no'} battery`,
    why: 'all run on mains',
    next: 'Give it "power: solar" or "power: battery".',
  });
};

const checkOf = (cast: Cast, { see, of }: Body): void => {
  if (see.value === null || of === null || !of.sound) return;
  const { of: whose } = observableRow(see.value);
  if (whose === 'all') return;
  if (whose !== 'fault') whoIs(cast, whose, of);
  else if (!FAULT_KINDS.some((kind) => kind === of.value)) cast.desk.report(of.at, unknownWord('fault or deed', of.value, FAULT_KINDS));
};

/** When it is looked at for the first and for the last time has to lie within the run. */
const checkTimes = (cast: Cast, { after, within }: Body, lastsMs: number): void => {
  const why = `the scenario lasts ${ms(lastsMs)}`;
  if (after.sound && after.value >= lastsMs) {
    cast.desk.report(after.at, { what: 'it is never looked at', why, next: `Write less than ${ms(lastsMs)} after "after:".` });
  } else if (within?.sound === true && after.value + within.value > lastsMs) {
    const next = `Write at most ${ms(lastsMs - after.value)} after "within:".`;
    cast.desk.report(within.at, { what: 'its time is over after the end', why, next });
  }
};

const boundsOf = ({ see, 'at-least': least, 'at-most': most }: Body): string => {
  const unit = see.value === null ? undefined : observableRow(see.value).unit;
  const show = (value: number): string => (unit === undefined ? String(value) : formatQuantity(unit, value));
  if (least !== null && most !== null) return least === most ? `exactly ${show(least)}` : `${show(least)} to ${show(most)}`;
  return least === null ? `at most ${show(most ?? 0)}` : `at least ${show(least)}`;
};

/** For those who gave no words of their own: what is said there, in order. */
const sentence = (kind: Expectation['kind'], body: Body): string => {
  const { see, of, after, within } = body;
  const whose = of === null ? '' : ` of ${of.value}`;
  const limit = kind === 'eventually' && within !== null ? ` within ${ms(within.value)}` : '';
  const begin = after.value > 0 ? ` ${limit === '' ? 'after' : 'of'} ${ms(after.value)}` : '';
  return `${kind}${limit}${begin}: ${see.value ?? ''}${whose} ${boundsOf(body)}`;
};

export const expectationsOf = (cast: Cast, rows: (ExpectRow | null)[], lastsMs: number): Expectation[] =>
  rows.flatMap((row) => {
    if (row === null) return [];
    const { kind, body } = row;
    checkOf(cast, body);
    checkBattery(cast, body);
    checkTimes(cast, body, lastsMs);
    if (body.see.value === null) return [];
    return {
      ...{
        kind,
        see: body.see.value,
        of: body.of?.value === 'all' ? '' : (body.of?.value ?? ''),
        least: body['at-least'],
        most: body['at-most'],
      },
      ...{ afterMs: body.after.value, withinMs: kind === 'eventually' ? (body.within?.value ?? lastsMs - body.after.value) : 0 },
      says: body.says ?? sentence(kind, body),
    };
  });
