/** Content that nobody needs goes, whatever was pushed, asked for, ended, begun anew and cut in between; what is needed stays. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { neededReleases } from '../../../gateway/core/needed.ts';
import { blobs, counted, leaving, manifests, mentions, releases, stock, wanted } from '../../../gateway/core/tables.ts';
import { tickNeeds } from '../../../gateway/service/leaving.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { type Entry, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { openPage } from '../../../runtime/protocol/pages.ts';
import { testCrypto } from '../../support/crypto.ts';
import { signedOperator, signedPublisher, signedRequest, signedVoucher, voucherFor } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { runs } from '../../support/properties.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';
import { serviceOf } from './full-look.ts';

const HOUR_MS = 3_600_000;
const { sha256 } = testCrypto;
const PIECES = Array.from({ length: 7 }, (_, i) => utf8(`#!piece ${i} `.repeat(30 + i)));

const fileOf = (path: string, pieces: Bytes[]): Entry => ({
  ...{ kind: 'file', path, executable: true, hash: sha256(Buffer.concat(pieces)) },
  ...{ bytes: pieces.reduce((sum, { length }) => sum + length, 0), chunks: pieces.map((piece) => [sha256(piece), piece.length]) },
});

/** Of each recipe the n-th, of pages that its neighbours have as well. */
const releaseOf = (recipe: string, sequence: number): SmallRelease => {
  const at = (i: number): Bytes => PIECES[i % PIECES.length]!;
  const tree = [[fileOf('bin', [at(sequence), at(3), at(3)])], [fileOf('data', [at(recipe.length), at(sequence + 1)])]];
  const release = smallRelease({ recipe, sequence, args: ['/bin'] }, { tree });
  const pages = tree.map((entries) => encodeAs(pageSchema, { v: 1, entries }, 'page'));
  const chunks = new Set(tree.flat().flatMap((entry) => (entry.kind === 'file' ? entry.chunks.map(([hash]) => hex(hash)) : [])));
  const content = [...pages, ...PIECES.filter((piece) => chunks.has(hex(sha256(piece))))];
  return { ...release, content: new Map(content.map((bytes) => [hex(sha256(bytes)), bytes])) };
};

const RECIPES = ['one', 'three'];
const RELEASES = RECIPES.flatMap((recipe) => [1, 2, 3, 4].map((sequence) => releaseOf(recipe, sequence)));

class Keeper {
  readonly node: Node;
  #monoMs = 10 * HOUR_MS;
  #wallMs = 1_800_000_000_000;
  #sequence = 0;

  constructor(contentBytes: number = LIMITS.contentBytes) {
    this.node = new GatewayWorld(['gateway a'], signedOperator().body, contentBytes).node(0).admit('tenant', 'tenant');
    this.node.accept(signedPublisher().body, ...RECIPES.map((name) => signedVoucher({ name }).body));
  }

  push({ document, content }: SmallRelease, leaves = 0): void {
    if (!this.node.push(document).ok) return;
    for (const bytes of [...content.values()].slice(0, content.size - leaves)) this.node.push(bytes);
  }

  pushNext(recipe: string, leaves: number): void {
    const known = this.node.read((work) => new Set(manifests.all(work).map(({ key }) => key)));
    const next = RELEASES.find(({ manifest, release }) => manifest.recipe === recipe && !known.has(hex(release)));
    if (next !== undefined) this.push(next, leaves);
  }

  ask({ manifest, release }: SmallRelease, state: 'started' | 'destroyed', fallback?: Bytes): boolean {
    const name = manifest.recipe;
    const asked = { name, voucher: voucherFor(name), release, state, sequence: ++this.#sequence, parameters: {} };
    const falls = fallback === undefined ? {} : { fallback: { release: fallback, bakeMs: 1000 } };
    return this.node.push(signedRequest({ ...asked, ...falls }).body).ok;
  }

  pass(hours: number): void {
    this.#wallMs += hours * HOUR_MS;
    this.#monoMs += hours * HOUR_MS;
    for (let left = 10; left > 0; left--) this.tick();
  }

  tick(): void {
    this.#monoMs += 500;
    const now = { wallMs: this.#wallMs, monoMs: this.#monoMs };
    this.node.inside((work) => {
      tickNeeds(work, { ...serviceOf(this.node), contentBytes: this.node.world.contentBytes }, now);
      return true;
    });
  }

  /** How often each content is named by what is counted. */
  #named(): Map<string, number> {
    return this.node.read((work) => {
      const named = new Map<string, number>();
      const add = (key: string): void => void named.set(key, (named.get(key) ?? 0) + 1);
      for (const { key, value } of counted.all(work)) {
        const page = key.slice(key.indexOf('/') + 1);
        add(page);
        const bytes = value.chunks ? blobs.get(work, page) : null;
        for (const entry of bytes === null ? [] : openPage(bytes)) if ('chunks' in entry) for (const [hash] of entry.chunks) add(hex(hash));
      }
      return named;
    });
  }

  check(): void {
    const named = this.#named();
    this.node.read((work) => {
      expect(new Map(mentions.all(work).map(({ key, value }) => [key, value]))).toEqual(named);
      const held = blobs.all(work);
      expect(held.filter(({ key }) => !named.has(key))).toEqual([]);
      expect(wanted.all(work).filter(({ key }) => !named.has(key))).toEqual([]);
      expect(stock.get(work, 'all')?.bytes ?? 0).toBe(held.reduce((sum, { value }) => sum + value.length, 0));
      const keys = new Set(held.map(({ key }) => key));
      for (const release of RELEASES) {
        const row = releases.get(work, hex(release.release));
        if (row?.missing === 0) expect([...release.content.keys()].filter((key) => !keys.has(key))).toEqual([]);
        if (row !== null && neededReleases(work).has(hex(release.release))) expect(row.gone).toBe(undefined);
      }
    });
  }

  get left(): number {
    return this.node.read((work) => [blobs, mentions, counted, leaving, wanted].reduce((sum, table) => sum + table.all(work).length, 0));
  }
}

const at = fc.nat(RELEASES.length - 1);
const command = fc.oneof(
  // The next one of its recipe, or one that was pushed before.
  fc.record({ do: fc.constant('push' as const), at, leaves: fc.constantFrom(0, 0, 0, 1, 2) }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('next' as const), recipe: fc.nat(RECIPES.length - 1), leaves: fc.constantFrom(0, 0, 0, 1, 2) }),
  },
  fc.record({ do: fc.constant('ask' as const), at }),
  fc.record({ do: fc.constant('fall' as const), at }),
  fc.record({ do: fc.constant('end' as const), at }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), hours: fc.constantFrom(1, 25, 25) }) },
  fc.record({ do: fc.constant('tick' as const) }),
  fc.record({ do: fc.constant('restart' as const) }),
);

const perform = (keeper: Keeper, one: typeof command extends fc.Arbitrary<infer T> ? T : never): void => {
  const release = 'at' in one ? RELEASES[one.at]! : RELEASES[0]!;
  switch (one.do) {
    case 'push':
      return keeper.push(release, one.leaves);
    case 'next':
      return keeper.pushNext(RECIPES[one.recipe]!, one.leaves);
    case 'ask':
      return void keeper.ask(release, 'started');
    case 'fall':
      return void keeper.ask(release, 'started', RELEASES[(one as { at: number }).at - 1]?.release);
    case 'end':
      return void keeper.ask(release, 'destroyed');
    case 'pass':
      return keeper.pass(one.hours);
    case 'tick':
      return keeper.tick();
    case 'restart':
      keeper.node.stop();
      return keeper.node.start();
  }
};

describe('the content of a gateway [delivery-5, delivery-7]', () => {
  test('is what is named, as often as it is named, and all of what is needed (property)', () => {
    let went = 0;
    let ended = 0;
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 15, maxLength: 45, size: 'max' }),
        fc.constantFrom(LIMITS.contentBytes, 3500),
        (commands, most) => {
          const keeper = new Keeper(most);
          for (const one of commands) {
            perform(keeper, one);
            keeper.check();
          }
          went += keeper.node.journal.filter((line) => /nobody needs it any more/.test(line)).length;
          for (const name of RECIPES) keeper.ask(RELEASES.find(({ manifest }) => manifest.recipe === name)!, 'destroyed');
          ended++;
        },
      ),
      runs(40),
    );
    expect(ended).toBeGreaterThan(10);
    expect(went).toBeGreaterThan(ended / 2);
  });

  test('goes to the last byte when there is little room and nobody asks for anything', () => {
    const only = RELEASES[1]!;
    const keeper = new Keeper([...only.content.values()].reduce((sum, { length }) => sum + length, 0));
    keeper.push(only);
    keeper.ask(only, 'started');
    expect(keeper.left).toBeGreaterThan(0);
    keeper.pass(1);
    keeper.pass(25);
    keeper.check();
    expect(keeper.node.read((work) => releases.get(work, hex(only.release)))).toMatchObject({ missing: 0 });
    expect(keeper.ask(only, 'destroyed')).toBe(true);
    keeper.pass(0.5);
    keeper.pass(0.5);
    expect(keeper.left).toBeGreaterThan(0);
    keeper.pass(1);
    expect(keeper.left).toBe(0);
    expect(keeper.node.read((work) => stock.get(work, 'all'))).toEqual({ bytes: 0 });
  });

  test('keeps the newest of each recipe while there is room', () => {
    const keeper = new Keeper();
    const of = RELEASES.slice(0, 4);
    for (const release of of) keeper.push(release);
    keeper.pass(1);
    keeper.pass(25);
    expect(of.map(({ release }) => keeper.node.read((work) => releases.get(work, hex(release))?.gone === true))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

test('what lies in a store of before is counted at the first start', () => {
  const keeper = new Keeper();
  for (const release of RELEASES.slice(0, 3)) keeper.push(release, release === RELEASES[2] ? 1 : 0);
  const counts = /^(mention|counted|stock)\//;
  const before = Object.entries(keeper.node.disk.dump()).filter(([key]) => counts.test(key));
  expect(before.length).toBeGreaterThan(10);
  keeper.node.stop();
  keeper.node.disk.write({ writes: new Map(before.map(([key]) => [key, null])) });
  keeper.node.start();
  keeper.tick();
  expect(Object.entries(keeper.node.disk.dump()).filter(([key]) => counts.test(key))).toEqual(before);
});

describe('a release that went', () => {
  const gone = (): Keeper => {
    const keeper = new Keeper();
    for (const release of RELEASES.slice(0, 3)) keeper.push(release);
    keeper.pass(1);
    keeper.pass(25);
    return keeper;
  };
  const [first] = RELEASES;

  test('is refused to who asks for it, until it is pushed again', () => {
    const keeper = gone();
    const asked = signedRequest({ name: 'one', voucher: voucherFor('one'), release: first!.release, sequence: 90, parameters: {} }).body;
    expect(keeper.node.push(asked)).toMatchObject({ ok: false, code: 'missing-content', why: expect.stringMatching(/push it again/) });
    keeper.push(first!);
    keeper.check();
    keeper.node.accept(asked);
    keeper.pass(1);
    keeper.pass(48);
    keeper.check();
    expect(keeper.node.read((work) => releases.get(work, hex(first!.release)))).toEqual({ missing: 0, missingPages: 0, refused: '' });
  });

  test('is not taken while what it had is going', () => {
    const keeper = new Keeper();
    for (const release of RELEASES.slice(0, 3)) keeper.push(release);
    keeper.pass(1);
    // The look lets it go; of two pages one tick takes back all, so it is held open.
    keeper.node.disk.write({ writes: new Map([[`leaving/${hex(first!.release)}`, new Uint8Array([0xa0])]]) });
    const row = { missing: 1, missingPages: 0, refused: '', gone: true as const };
    keeper.node.inside((work) => {
      releases.put(work, row, hex(first!.release));
      return true;
    });
    expect(keeper.node.push(first!.document)).toMatchObject({ ok: false, code: 'conflict' });
  });
});

test('a gateway that holds as much as it may takes no more, and says what to do [delivery-6]', () => {
  const [one, two] = RELEASES as [SmallRelease, SmallRelease];
  const bytes = ({ content }: SmallRelease): number => [...content.values()].reduce((sum, { length }) => sum + length, 0);
  const keeper = new Keeper(bytes(one) + 10);
  keeper.push(one);
  // Some room is left, so it may begin; what does not fit is refused piece by piece, and kept from nobody else.
  expect(keeper.node.push(two.document).ok).toBe(true);
  const news = [...two.content].filter(([key]) => !one.content.has(key)).map(([, piece]) => piece);
  const before = keeper.node.disk.dump();
  expect(keeper.node.push(news[0]!)).toMatchObject({ ok: false, code: 'storage-full', why: expect.stringMatching(/--content-mib/) });
  expect(keeper.node.disk.dump()).toEqual(before);
  keeper.check();
  const full = new Keeper(bytes(one));
  full.push(one);
  const whole = full.node.disk.dump();
  expect(full.node.push(two.document)).toMatchObject({ ok: false, code: 'storage-full' });
  expect(full.node.disk.dump()).toEqual(whole);
});
