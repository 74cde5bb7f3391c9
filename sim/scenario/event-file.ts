/** What a scenario's file may say of incidents and expectations. Which keys a row has depends on its kind. */
import { SCENARIO } from './bounds.ts';
import { FAULT_KINDS, FAULTS, type FaultKind, faultRow, type Taken } from './faults.ts';
import { OBSERVABLE_WORDS, OBSERVABLES, type Observable, type ObservableRow, observableRow } from './observables.ts';
import type { Expectation } from './scenario.ts';
import {
  blankOf,
  complain,
  described,
  type Field,
  type Fields,
  fieldsSchema,
  type JsonObject,
  keysOf,
  may,
  must,
  oneOrMany,
  openMap,
  orNull,
  type Placed,
  placed,
  quantity,
  range,
  readFields,
  reference,
  refuseStrays,
  type Shape,
  type Spot,
  text,
  usually,
  usuallyAt,
  whole,
  word,
} from './shape.ts';
import { formatQuantity, UNITS } from './units.ts';

const targets = oneOrMany(placed(reference), 'targets', SCENARIO.targets);
const TARGETS = 'names of boards, groups, gateways or workloads, or all';

type Extra = Record<string, number | string | null>;

const extraField = (taken: Taken): Field<number | string | null> => {
  if ('words' in taken) return usually<number | string | null>(word('way', taken.words), taken.usual, `one of ${taken.words.join(', ')}`);
  const { unit, usual, least = 0, most } = taken;
  const bounds = { least, ...(most === undefined ? {} : { most }) };
  if (unit === 'count') return usually<number | string | null>(whole(bounds), usual, 'a count');
  return usually<number | string | null>(quantity(unit, bounds), formatQuantity(unit, usual), UNITS[unit].of);
};

const extrasOf = (kind: FaultKind): Fields<Extra> =>
  Object.fromEntries(Object.entries(faultRow(kind).takes).map(([key, taken]) => [key, extraField(taken)]));

const extras = new Map(FAULT_KINDS.map((kind) => [kind, extrasOf(kind)]));
const allExtras = [...new Set([...extras.values()].flatMap((fields) => Object.keys(fields)))];

/** Those of a row whose kind is not known are not complained about. */
const keysFor = (common: readonly string[], kind: FaultKind | null): string[] => [
  ...common,
  ...(kind === null ? allExtras : Object.keys(extras.get(kind) ?? {})),
];

const momentary = (spot: Spot, kind: FaultKind): void =>
  spot.file.desk.report(spot.at, { what: `${kind} takes no "for"`, why: 'it happens at one moment', next: 'Leave it out.' });

const kindWord = word('fault or deed', FAULT_KINDS, described(FAULTS));

/** A row of common fields, the kind, and what else that kind takes. */
const rowsByKind = <C extends { kind: Placed<FaultKind | null>; for: unknown }>(common: Fields<C>): Shape<{ row: C; extra: Extra }> => ({
  read: (spot) => {
    const keys = keysOf(common);
    const pairs = openMap(spot, keys);
    if (pairs === null) return { row: blankOf(common), extra: {} };
    const row = readFields(spot, pairs, common);
    const kind = row.kind.value;
    const span = pairs.get('for');
    if (kind !== null && span !== undefined && faultRow(kind).lasts === 'moment') momentary({ ...spot, at: span.keyAt }, kind);
    if (kind !== null && span === undefined && faultRow(kind).lasts === 'span') {
      spot.file.desk.report(spot.at, { what: `${kind} without "for"`, why: 'it lasts', next: 'Add "for:" with how long, such as 10min.' });
    }
    refuseStrays(spot, pairs, keysFor(keys, kind));
    return { row, extra: kind === null ? {} : readFields(spot, pairs, extras.get(kind) ?? {}) };
  },
  blank: { row: blankOf(common), extra: {} },
  schema: { anyOf: FAULT_KINDS.map((kind) => rowSchema(common, kind)) },
});

const rowSchema = <C extends object>(common: Fields<C>, kind: FaultKind): JsonObject => {
  const { properties, required } = fieldsSchema(common);
  const extra = fieldsSchema(extras.get(kind) ?? {});
  const { lasts, says } = faultRow(kind);
  const { for: span, ...rest } = properties;
  const spanned = lasts === 'moment' || span === undefined ? {} : { for: span };
  return {
    type: 'object',
    description: says,
    properties: { ...rest, ...spanned, ...extra.properties, kind: { const: kind, description: says } },
    required: lasts === 'span' ? [...required, 'for'] : required,
    additionalProperties: false,
  };
};

export const incidentShape = rowsByKind({
  at: must(placed(quantity('ms')), 'when it happens'),
  kind: must(placed(kindWord), 'what happens'),
  on: must(targets, TARGETS),
  for: may(orNull(placed(quantity('ms', { least: 1 }))), null, 'how long it lasts'),
});
export type IncidentRow = (typeof incidentShape)['blank'];

export const mixShape = rowsByKind({
  kind: must(placed(kindWord), 'what happens'),
  on: must(targets, TARGETS),
  every: must(placed(quantity('ms', SCENARIO.everyMs)), 'on average, on each of them'),
  for: may(orNull(placed(range('ms', { least: 1 }))), null, 'how long it lasts, evenly spread over a range'),
  from: may(orNull(placed(quantity('ms'))), null, 'none before; the beginning unless given'),
  until: may(orNull(placed(quantity('ms'))), null, 'none after; the end unless given'),
});
export type MixRow = (typeof mixShape)['blank'];

/** As wide as any share or temperature that can be. */
const BOUNDS = { permille: { most: 1000 }, celsius: { least: -273, most: 1000 }, micro: {} };
/** Of something that is not known, nothing is known. */
const ANYTHING: Shape<number | null> = { read: () => null, blank: null, schema: {} };
const boundShape = (row: ObservableRow | null): Shape<number | null> => {
  if (row === null) return ANYTHING;
  return orNull(row.unit === undefined ? whole({ least: 0 }) : quantity(row.unit, BOUNDS[row.unit]));
};

const seeWord = word('observable', OBSERVABLE_WORDS, described(OBSERVABLES));

interface ExpectBody {
  see: Placed<Observable | null>;
  of: Placed<string> | null;
  'at-least': number | null;
  'at-most': number | null;
  after: Placed<number>;
  within: Placed<number> | null;
  says: string | null;
}
type ExpectKind = Expectation['kind'];
const EXPECT_SAYS: Record<ExpectKind, string> = {
  always: 'holds whenever it is looked at',
  eventually: 'holds at some moment before its time is over',
  sometimes: 'holds at least once, or the scenario has not tried what it is about',
};
const expectKinds: readonly ExpectKind[] = ['always', 'eventually', 'sometimes'];

const whose = (row: ObservableRow | null): string =>
  row?.of === 'fault' ? 'a kind of fault' : `name of a ${row?.of ?? 'board'}; all together unless given`;

const expectFields = (kind: ExpectKind, row: ObservableRow | null): Fields<ExpectBody> => ({
  see: must(placed(seeWord), 'what is looked at'),
  of: may(orNull(placed(reference)), null, whose(row)),
  'at-least': may(boundShape(row), null, 'no less than this'),
  'at-most': may(boundShape(row), null, 'no more than this'),
  after: usuallyAt(quantity('ms'), '0s', kind === 'eventually' ? 'the time runs from here' : 'looked at from here on'),
  within: may(orNull(placed(quantity('ms', { least: 1 }))), null, 'how long it may take; to the end unless given'),
  says: may(orNull(text(SCENARIO.aboutChars)), null, 'as a person would say it'),
});

/** Keys that make sense for what is looked at. */
const expectKeys = (kind: ExpectKind, row: ObservableRow | null): (keyof ExpectBody)[] =>
  keysOf(expectFields(kind, row)).filter((key) => (key !== 'within' || kind === 'eventually') && (key !== 'of' || row?.of !== 'all'));

const readExpectation = (spot: Spot, kind: ExpectKind): ExpectBody => {
  const pairs = openMap(spot, expectKeys(kind, null));
  const blank = blankOf(expectFields(kind, null));
  if (pairs === null) return blank;
  const see = pairs.get('see');
  const seen = see === undefined ? null : seeWord.read(see.value);
  const row = seen === null ? null : observableRow(seen);
  const within = pairs.get('within');
  if (within !== undefined && kind !== 'eventually') {
    spot.file.desk.report(within.keyAt, { what: `${kind} takes no "within"`, why: 'only eventually has an end', next: 'Leave it out.' });
  }
  refuseStrays(spot, pairs, [...expectKeys(kind, row), 'within']);
  const body = readFields(spot, pairs, expectFields(kind, row));
  if (row !== null && body['at-least'] === null && body['at-most'] === null) {
    complain(spot, { what: 'an expectation without a bound', next: 'Add "at-least:" or "at-most:".' });
  }
  if (body['at-least'] !== null && body['at-most'] !== null && body['at-least'] > body['at-most']) {
    complain(spot, { what: '"at-least" is more than "at-most"', why: 'nothing is both', next: 'Exchange them.' });
  }
  return body;
};

export interface ExpectRow {
  kind: ExpectKind;
  body: ExpectBody;
}

/** One of each way in which observables differ, so that an editor is not shown the same keys a hundred times. */
const variants = (): Map<string, Observable[]> => {
  const found = new Map<string, Observable[]>();
  for (const observable of OBSERVABLE_WORDS) {
    const { of, unit = 'count' } = observableRow(observable);
    found.set(`${of} ${unit}`, [...(found.get(`${of} ${unit}`) ?? []), observable]);
  }
  return found;
};

const bodySchema = (kind: ExpectKind, words: Observable[]): JsonObject => {
  const row = words[0] === undefined ? null : observableRow(words[0]);
  const { properties, required } = fieldsSchema(expectFields(kind, row));
  const shown = Object.fromEntries(expectKeys(kind, row).map((key) => [key, properties[key] ?? {}]));
  const see = { anyOf: words.map((observable) => ({ const: observable, description: observableRow(observable).says })) };
  const of = row?.of === 'fault' ? { of: { ...described(FAULTS), description: whose(row) } } : {};
  const bounds = [{ required: ['at-least'] }, { required: ['at-most'] }];
  return { type: 'object', properties: { ...shown, ...of, see }, required, anyOf: bounds, additionalProperties: false };
};

export const expectShape: Shape<ExpectRow | null> = {
  read: (spot) => {
    const pairs = openMap(spot, expectKinds);
    if (pairs === null) return null;
    refuseStrays(spot, pairs, expectKinds);
    const given = expectKinds.filter((kind) => pairs.has(kind));
    const [kind] = given;
    const body = kind === undefined ? undefined : pairs.get(kind);
    if (kind === undefined || body === undefined || given.length > 1) {
      if (pairs.size === 0 || given.length > 1)
        complain(spot, { what: 'one expectation a line', next: `Write one of ${expectKinds.join(', ')}.` });
      return null;
    }
    return { kind, body: readExpectation(body.value, kind) };
  },
  blank: null,
  schema: {
    anyOf: expectKinds.map((kind) => ({
      type: 'object',
      properties: { [kind]: { description: EXPECT_SAYS[kind], anyOf: [...variants().values()].map((words) => bodySchema(kind, words)) } },
      required: [kind],
      additionalProperties: false,
    })),
  },
};
