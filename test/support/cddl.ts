/** As much of CDDL (RFC 8610) as docs/spec/lichen.cddl uses: a reader, and a matcher for decoded values. */

export type Type =
  | { is: 'name'; name: string }
  | { is: 'literal'; value: string | number | bigint }
  | { is: 'range'; from: bigint; to: bigint }
  | { is: 'size'; of: Type; from: bigint; to: bigint }
  | { is: 'regexp'; pattern: RegExp }
  | { is: 'cbor'; of: Type }
  | { is: 'tag'; of: Type }
  | { is: 'choice'; of: Type[] }
  | { is: 'map'; members: Member[] }
  | { is: 'list'; members: Member[] };

export interface Member {
  /** A map's fixed key; null for a list's items and for keys that are themselves types. */
  key: string | null;
  keyType: Type | null;
  least: number;
  most: number;
  type: Type;
}

const TOKEN = /;[^\n]*|"(?:[^"\\]|\\.)*"|\.\.|\.[a-z]+|=>|#6\.\d+|-?\d+|[A-Za-z][\w-]*|[=/{}[\](),:?*]/g;

class Reader {
  readonly #tokens: string[];
  #at = 0;

  constructor(text: string) {
    const left = text.replaceAll(TOKEN, ' ').trim();
    if (left !== '') throw new Error(`CDDL: cannot read "${left.slice(0, 20)}"`);
    this.#tokens = (text.match(TOKEN) ?? []).filter((token) => !token.startsWith(';'));
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead] ?? '';
  }

  take(wanted?: string): string {
    const token = this.peek();
    if (token === '' || (wanted !== undefined && token !== wanted))
      throw new Error(`CDDL: "${token}" where "${wanted ?? 'a type'}" belongs`);
    this.#at++;
    return token;
  }

  has(token: string): boolean {
    if (this.peek() !== token) return false;
    this.#at++;
    return true;
  }
}

const integer = /^-?\d+$/;

const readType = (from: Reader): Type => {
  const of = [readControlled(from)];
  while (from.has('/')) of.push(readControlled(from));
  return of.length === 1 ? of[0]! : { is: 'choice', of };
};

const readRange = (from: Reader): { from: bigint; to: bigint } => {
  const paren = from.has('(');
  const low = BigInt(from.take());
  const high = from.has('..') ? BigInt(from.take()) : low;
  if (paren) from.take(')');
  return { from: low, to: high };
};

const readControlled = (from: Reader): Type => {
  if (integer.test(from.peek()) && from.peek(1) === '..') return { is: 'range', ...readRange(from) };
  const base = readSimple(from);
  if (from.has('.size')) return { is: 'size', of: base, ...readRange(from) };
  if (from.has('.regexp')) return { is: 'regexp', pattern: new RegExp(`^(?:${JSON.parse(from.take())})$`) };
  if (from.has('.cbor')) return { is: 'cbor', of: readSimple(from) };
  return base;
};

const readSimple = (from: Reader): Type => {
  const token = from.take();
  if (token === '(') {
    const inner = readType(from);
    from.take(')');
    return inner;
  }
  if (token === '{') return { is: 'map', members: readMembers(from, '}') };
  if (token === '[') return { is: 'list', members: readMembers(from, ']') };
  if (token.startsWith('#6.')) {
    from.take('(');
    const of = readType(from);
    from.take(')');
    return { is: 'tag', of };
  }
  if (token.startsWith('"')) return { is: 'literal', value: JSON.parse(token) };
  return integer.test(token) ? { is: 'literal', value: Number(token) } : { is: 'name', name: token };
};

const readOccurrence = (from: Reader): { least: number; most: number } => {
  if (from.has('?')) return { least: 0, most: 1 };
  if (from.has('*')) return { least: 0, most: Number.POSITIVE_INFINITY };
  if (!integer.test(from.peek()) || from.peek(1) !== '*') return { least: 1, most: 1 };
  const least = Number(from.take());
  from.take('*');
  return { least, most: integer.test(from.peek()) ? Number(from.take()) : Number.POSITIVE_INFINITY };
};

const readMembers = (from: Reader, end: string): Member[] => {
  const members: Member[] = [];
  while (!from.has(end)) {
    const occurrence = readOccurrence(from);
    if (from.peek(1) === ':') {
      const key = from.take();
      from.take(':');
      members.push({ key, keyType: null, ...occurrence, type: readType(from) });
    } else {
      const type = readType(from);
      const keyed = from.has('=>');
      members.push({ key: null, keyType: keyed ? type : null, ...occurrence, type: keyed ? readType(from) : type });
    }
    from.has(',');
  }
  return members;
};

export type Rules = Map<string, Type>;

export const readCddl = (text: string): Rules => {
  const from = new Reader(text);
  const rules: Rules = new Map();
  while (!from.done) {
    const name = from.take();
    if (rules.has(name)) throw new Error(`CDDL: ${name} is defined twice`);
    from.take('=');
    rules.set(name, readType(from));
  }
  return rules;
};

const PRELUDE: Record<string, (value: unknown) => boolean> = {
  bool: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  tstr: (value) => typeof value === 'string',
  bstr: (value) => value instanceof Uint8Array,
};

export const resolve = (rules: Rules, type: Type): Type => {
  if (type.is !== 'name' || type.name in PRELUDE) return type;
  const rule = rules.get(type.name);
  if (rule === undefined) throw new Error(`CDDL: no rule ${type.name}`);
  return resolve(rules, rule);
};

const isInteger = (value: unknown): value is number | bigint => typeof value === 'bigint' || Number.isSafeInteger(value);
const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

const sizeOf = (value: unknown): bigint | null => {
  if (value instanceof Uint8Array) return BigInt(value.length);
  return typeof value === 'string' ? BigInt(new TextEncoder().encode(value).length) : null;
};

const matchesMap = (rules: Rules, members: Member[], value: Record<string, unknown>): boolean => {
  const fixed = new Map(members.flatMap((member) => (member.key === null ? [] : [[member.key, member]])));
  const open = members.filter((member) => member.keyType !== null);
  for (const [key, member] of fixed) {
    if (!(key in value) ? member.least > 0 : !matches(rules, member.type, value[key])) return false;
  }
  const rest = Object.keys(value).filter((key) => !fixed.has(key));
  const [entries] = open;
  if (entries === undefined) return rest.length === 0;
  const fits = (key: string): boolean =>
    entries.keyType !== null && matches(rules, entries.keyType, key) && matches(rules, entries.type, value[key]);
  return rest.length >= entries.least && rest.length <= entries.most && rest.every(fits);
};

const matchesList = (rules: Rules, members: Member[], value: unknown[]): boolean => {
  const [only] = members;
  const fixed = members.every(({ least, most }) => least === 1 && most === 1);
  if (fixed) return value.length === members.length && members.every(({ type }, i) => matches(rules, type, value[i]));
  if (only === undefined || members.length !== 1) throw new Error('CDDL: a list mixes fixed and repeated items');
  return value.length >= only.least && value.length <= only.most && value.every((item) => matches(rules, only.type, item));
};

/** Whether a decoded value matches a type. */
export const matches = (rules: Rules, type: Type, value: unknown): boolean => {
  switch (type.is) {
    case 'name':
      return PRELUDE[type.name]?.(value) ?? matches(rules, resolve(rules, type), value);
    case 'literal':
      return value === type.value;
    case 'range':
      return isInteger(value) && value >= type.from && value <= type.to;
    case 'size': {
      const size = sizeOf(value);
      return matches(rules, type.of, value) && size !== null && size >= type.from && size <= type.to;
    }
    case 'regexp':
      return typeof value === 'string' && type.pattern.test(value);
    case 'choice':
      return type.of.some((one) => matches(rules, one, value));
    case 'map':
      return isMap(value) && matchesMap(rules, type.members, value);
    case 'list':
      return Array.isArray(value) && matchesList(rules, type.members, value);
    case 'cbor':
    case 'tag':
      throw new Error(`CDDL: ${type.is} is for envelopes, which COSE's own tests cover`);
  }
};
