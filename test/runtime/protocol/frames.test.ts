/**
 * Golden frames pin what every noun and message is on the wire; lichen.cddl says so in words. Whoever changes the
 * protocol on purpose writes the frames anew with LICHEN_GOLDEN=write and reads the difference.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import { decode, encode } from '../../../runtime/protocol/cbor.ts';
import type { Value } from '../../../runtime/protocol/cbor-write.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { decodeAs, encodeAs, payloadOf, unseal, unsealMany } from '../../../runtime/protocol/noun.ts';
import { parse, type Schema } from '../../../runtime/protocol/schema.ts';
import { type Member, matches, readCddl, resolve, type Type } from '../../support/cddl.ts';
import { testCrypto } from '../../support/crypto.ts';
import { PLAIN, SIGNED } from '../../support/frames.ts';

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

interface Golden {
  /** What is signed, or all there is of an unsigned message. */
  payload: string;
  /** Hash of the payload: the document's identity. */
  hash: string;
  /** The COSE document; absent for an unsigned message. */
  document?: string;
}

const current = (): Record<string, Golden> => ({
  ...Object.fromEntries(
    SIGNED.map(({ name, noun, value, document }) => {
      const payload = payloadOf(noun, value);
      return [name, { payload: hex(payload), hash: hex(testCrypto.sha256(payload)), document: hex(document) }];
    }),
  ),
  ...Object.fromEntries(
    PLAIN.map(({ name, rule, schema, value }) => {
      const payload = encodeAs(schema, value, rule);
      return [name, { payload: hex(payload), hash: hex(testCrypto.sha256(payload)) }];
    }),
  ),
});

const path = pathOf('../../vectors/frames.json');
if (process.env.LICHEN_GOLDEN === 'write') writeFileSync(path, `${JSON.stringify(current(), null, 2)}\n`);
const golden = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Golden>;
const of = (name: string): Golden => golden[name] ?? { payload: '', hash: '' };

describe('golden frames', () => {
  test('are one for each value, and no more', () => {
    const names = [...SIGNED, ...PLAIN].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(Object.keys(golden).sort()).toEqual([...names].sort());
  });

  test.each(SIGNED)('$name', ({ name, noun, value, document }) => {
    const frame = of(name);
    expect(hex(payloadOf(noun, value))).toBe(frame.payload);
    expect(hex(document)).toBe(frame.document);
    const bytes = fromHex(frame.document ?? '');
    const opened = bytes[0] === 0xd2 ? unseal(testCrypto, noun, bytes) : unsealMany(testCrypto, noun, bytes, 32);
    expect(opened.value).toEqual(value);
    expect(hex(opened.hash)).toBe(frame.hash);
  });

  test.each(PLAIN)('$name', ({ name, rule, schema, value }) => {
    const { payload } = of(name);
    expect(hex(encodeAs(schema, value, rule))).toBe(payload);
    expect(decodeAs(schema, fromHex(payload), rule)).toEqual(value);
  });
});

const rules = readCddl(readFileSync(pathOf('../../../docs/spec/lichen.cddl'), 'utf8'));
const ruleOf = (name: string): Type => resolve(rules, { is: 'name', name });
const forms = [
  ...SIGNED.map(({ name, rule, noun: { schema } }) => ({ name, rule, schema })),
  ...PLAIN.map(({ name, rule, schema }) => ({ name, rule, schema })),
];

/** A schema as valibot describes itself, as far as the walk below looks. */
interface Described {
  kind: string;
  type: string;
  entries?: Record<string, Described>;
  item?: Described;
  items?: Described[];
  wrapped?: Described;
  options?: (Described | string)[];
  value?: Described;
  literal?: unknown;
  pipe?: Described[];
}

const describeSchema = (schema: Schema<unknown>): Described => schema as unknown as Described;

/** Differences in keys, forms and words between a schema and its rule. */
const differences = (piped: Described, type: Type, at: string): string[] => {
  const schema = (piped.pipe ?? []).findLast(({ kind }) => kind === 'schema') ?? piped;
  const rule = resolve(rules, type);
  switch (schema.type) {
    case 'strict_object': {
      if (rule.is !== 'map') return [`${at}: the rule is no map`];
      const entries = Object.entries(schema.entries ?? {});
      const inRule = new Map(rule.members.map((member): [string, Member] => [member.key ?? '*', member]));
      const missing = entries.filter(([key]) => !inRule.has(key)).map(([key]) => `${at}.${key}: not in the CDDL`);
      const extra = [...inRule.keys()].filter((key) => !(key in (schema.entries ?? {}))).map((key) => `${at}.${key}: not in the schema`);
      const inner = entries.flatMap(([key, entry]) => {
        const member = inRule.get(key);
        if (member === undefined) return [];
        const optional = entry.type === 'optional';
        const wrong = optional !== (member.least === 0) ? [`${at}.${key}: optional in one of them only`] : [];
        return [...wrong, ...differences(optional && entry.wrapped !== undefined ? entry.wrapped : entry, member.type, `${at}.${key}`)];
      });
      return [...missing, ...extra, ...inner];
    }
    case 'array': {
      const [only] = rule.is === 'list' ? rule.members : [];
      return only === undefined || schema.item === undefined
        ? [`${at}: the rule is no list`]
        : differences(schema.item, only.type, `${at}[]`);
    }
    case 'strict_tuple': {
      const members = rule.is === 'list' ? rule.members : [];
      const items = schema.items ?? [];
      if (members.length !== items.length) return [`${at}: a tuple of another length`];
      return items.flatMap((item, i) => differences(item, members[i]!.type, `${at}[${i}]`));
    }
    case 'nullable': {
      const others = rule.is === 'choice' ? rule.of.filter((one) => !(one.is === 'name' && one.name === 'null')) : [];
      const [only] = others;
      return only === undefined || schema.wrapped === undefined ? [`${at}: the rule lacks null`] : differences(schema.wrapped, only, at);
    }
    case 'variant': {
      const options = schema.options ?? [];
      const forms = rule.is === 'choice' ? rule.of : [];
      if (forms.length !== options.length) return [`${at}: ${options.length} forms, ${forms.length} in the CDDL`];
      return options.flatMap((option, i) => (typeof option === 'string' ? [] : differences(option, forms[i]!, `${at}/${i}`)));
    }
    case 'picklist': {
      const words = rule.is === 'choice' ? rule.of.map((one) => (one.is === 'literal' ? one.value : null)) : [];
      return JSON.stringify(words) === JSON.stringify(schema.options)
        ? []
        : [`${at}: ${JSON.stringify(schema.options)} against ${JSON.stringify(words)}`];
    }
    case 'literal':
      return rule.is === 'literal' && rule.value === schema.literal ? [] : [`${at}: another literal`];
    case 'record':
      return rule.is === 'map' && rule.members.length === 1 && rule.members[0]!.keyType !== null ? [] : [`${at}: the rule is no table`];
    default:
      return [];
  }
};

const accepts = (schema: Schema<unknown>, value: unknown): boolean => {
  try {
    parse(schema, value, 'value');
    return true;
  } catch (thrown) {
    if (thrown instanceof LichenError) return false;
    throw thrown;
  }
};

/** Every way of leaving one key out, adding one, or putting something else in its place, at every depth. */
const spoiled = (value: unknown): unknown[] => {
  if (Array.isArray(value)) return value.flatMap((item, i) => spoiled(item).map((bad) => value.with(i, bad)));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  const map = Object.entries(value);
  const without = map.map(([left]) => Object.fromEntries(map.filter(([key]) => key !== left)));
  const swapped = map.flatMap(([key]) =>
    [null, -1, 2n ** 64n - 1n, '', 'x'.repeat(1025), new Uint8Array(31), [], {}, true].map((other) => ({ ...value, [key]: other })),
  );
  const inner = map.flatMap(([key, entry]) => spoiled(entry).map((bad) => ({ ...value, [key]: bad })));
  return [...without, { ...value, 'Unknown Key': 0 }, ...swapped, ...inner];
};

describe('lichen.cddl', () => {
  test.each(forms)('has the keys, words and forms of $name', ({ rule, schema }) => {
    expect(differences(describeSchema(schema), ruleOf(rule), rule)).toEqual([]);
  });

  test.each(forms)('matches the golden frame of $name', ({ name, rule }) => {
    expect(matches(rules, ruleOf(rule), decode(fromHex(of(name).payload)))).toBe(true);
  });

  test.each(forms)('refuses what the schema of $name refuses, and takes what it takes', ({ name, rule, schema }) => {
    const variants = spoiled(decode(fromHex(of(name).payload))).map((bad) => decode(encode(bad as Value)));
    expect(variants.length).toBeGreaterThan(0);
    const verdicts = variants.map((bad) => [accepts(schema, bad), matches(rules, ruleOf(rule), bad), bad] as const);
    expect(
      verdicts
        .filter(([ours, cddl]) => ours !== cddl)
        .map(([ours, , bad]) => [ours ? 'only the schema takes it' : 'only the CDDL takes it', bad]),
    ).toEqual([]);
    expect(verdicts.filter(([ours]) => !ours).length).toBeGreaterThan(0);
  });

  test('has a frame for every rule that stands alone, and uses every other', () => {
    const framed = new Set(forms.map(({ rule }) => rule));
    const named = new Set<string>();
    const visit = (type: Type): void => {
      if (type.is === 'name') named.add(type.name);
      if (type.is === 'choice') type.of.forEach(visit);
      if (type.is === 'size' || type.is === 'cbor' || type.is === 'tag') visit(type.of);
      if (type.is === 'map' || type.is === 'list')
        for (const member of type.members) for (const one of [member.type, member.keyType]) if (one !== null) visit(one);
    };
    for (const type of rules.values()) visit(type);
    const envelopes = ['sign1', 'sign'];
    expect([...rules.keys()].filter((name) => !framed.has(name) && !named.has(name) && !envelopes.includes(name))).toEqual([]);
  });
});
