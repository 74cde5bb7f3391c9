/** What an entry of a peer does when what it stands on is here, is not here yet, or never will be. */
import { describe, expect, test } from 'vitest';
import { applyEntry, applyForeign, mayPass } from '../../../gateway/core/apply.ts';
import type { Context } from '../../../gateway/core/context.ts';
import { leasesFor } from '../../../gateway/core/holding.ts';
import { currentLease } from '../../../gateway/core/leased.ts';
import { bindings, boards, closes, frontiers, leases, manifests, openLeases, pendings, requests } from '../../../gateway/core/tables.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { BoardId, GatewayId } from '../../../runtime/protocol/ids.ts';
import { encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { homeNoun } from '../../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { admitSchema, entryBytes, type LogEntry, presenceSchema } from '../../../runtime/protocol/nouns/log.ts';
import { bindingNoun } from '../../../runtime/protocol/nouns/request.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import { ordinal } from '../../../runtime/turn/table.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import {
  binding,
  closeAt,
  closeFact,
  type Fact,
  fact,
  groundwork,
  idOf,
  lease,
  OPERATOR,
  pair,
  RELEASE,
  REQUEST,
  signedBinding,
  signedLease,
  signedManifest,
  signedOperator,
  signedPublisher,
  signedRequest,
  signedVoucher,
  usageChain,
} from '../../support/federation.ts';
import { openMemoryStore } from '../../support/memory-store.ts';
import { PaperBoard } from '../../support/paper-board.ts';

const ME = idOf<GatewayId>('gateway a');
const PEER = idOf<GatewayId>('gateway b');
const BOARD = idOf<BoardId>('board 1');
const context: Context = { crypto: testCrypto, signer: keyOf('gateway a'), me: ME, operator: OPERATOR, silenceMs: 1 };

const admitted: Fact = fact('admit', encodeAs(admitSchema, { v: 1, role: 'tenant', key: keyOf('tenant').publicKey, name: 't' }, 'admit'));
const home = (tenure: number, gateway = PEER): Fact =>
  fact('home', seal(homeNoun, { v: 1, board: BOARD, tenure, gateway }, keyOf('board 1')));
const presence = (here: boolean, tenure: number): Fact =>
  fact('presence', encodeAs(presenceSchema, { v: 1, board: BOARD, here, tenure, sinceMs: 5 }, 'presence'));

class Rows {
  readonly draft = new Draft<never>(openMemoryStore().snapshot(), new Map());
  #seq = 0;

  entry({ kind, body }: Fact, author = PEER): LogEntry {
    return { v: 1, author, seq: this.#seq++, wallMs: 1000 + this.#seq, kind, body };
  }

  take(...facts: Fact[]): this {
    for (const one of facts) applyEntry(this.draft, context, this.entry(one));
    return this;
  }

  /** As it comes in a peer's log: the code of what kept it from meaning anything. */
  foreign(one: Fact, author = PEER): string {
    const entry = this.entry(one, author);
    return applyForeign(this.draft, context, entry, entryBytes(entry))?.code ?? '';
  }

  get waiting(): number {
    return pendings.all(this.draft).length;
  }
}

const ground = (): Rows => new Rows().take(signedOperator(), admitted, ...groundwork(['board 1', 'board 2']).slice(1));

describe('an entry', () => {
  test.each<[string, Fact, Fact[]]>([
    ['a manifest before its publisher', signedManifest(), [signedOperator()]],
    ['a voucher before its tenant is admitted', signedVoucher(), [signedOperator()]],
    ['a request before its tenant is admitted', signedRequest(), [signedOperator()]],
    ['a binding before its board is paired', signedBinding('board 1'), [signedOperator()]],
    ['a home before its board is paired', home(1), [signedOperator()]],
    ['a lease before the operator of its guardian', signedLease(lease({ on: 'board 1' })), []],
    ['usage before its board is paired', usageChain('board 1', [{ lease: lease({ on: 'board 1' }).lease }])[0]!, []],
    ['presence before its board is paired', presence(true, 1), []],
  ])('waits: %s', (_what, one, before) => {
    const rows = new Rows().take(...before);
    expect(mayPass({ code: rows.foreign(one) } as never)).toBe(true);
    expect(rows.waiting).toBe(1);
  });

  test.each<[string, Fact]>([
    ['a document that is cut short', fact('voucher', signedVoucher().body.subarray(0, 50))],
    ['a document with another signature', fact('voucher', signedVoucher().body.with(-1, 1))],
    ['a document of another kind', fact('voucher', signedRequest().body)],
  ])('is passed over for good: %s', (_what, one) => {
    const rows = ground();
    expect(mayPass({ code: rows.foreign(one) } as never)).toBe(false);
    expect(rows.waiting).toBe(0);
  });

  test('that means nothing writes nothing', () => {
    const rows = ground();
    const written = (): [string, string][] => {
      rows.draft.keep();
      return [...rows.draft.toCommit('x').writes].map(([key, value]) => [key, hex(value ?? new Uint8Array())]);
    };
    const before = written();
    for (const one of [
      fact('voucher', new Uint8Array(3)),
      fact('binding', seal(bindingNoun, binding('board 1', { version: 2 }), keyOf('stranger'))),
    ])
      expect(() => applyEntry(rows.draft, context, rows.entry(one))).toThrow();
    expect(written()).toEqual(before);
  });

  test('that comes again changes nothing', () => {
    const rows = ground().take(home(3), signedLease(lease({ on: 'board 1' })));
    const before = boards.get(rows.draft, BOARD);
    for (const again of [...groundwork(['board 1']).slice(1), home(3), signedLease(lease({ on: 'board 1' }))])
      expect(rows.foreign(again)).toBe('');
    expect(boards.get(rows.draft, BOARD)).toEqual(before);
  });
});

describe('of homes', () => {
  const row = (rows: Rows) => boards.get(rows.draft, BOARD);

  test('the highest tenure counts, whichever comes first', () => {
    const rows = ground().take(home(5), home(3, ME));
    expect(row(rows)).toMatchObject({ home: { tenure: 5, gateway: PEER }, here: true });
    expect(row(rows.take(home(6, ME)))).toMatchObject({ home: { tenure: 6, gateway: ME } });
  });

  test('of one tenure the greater gateway counts, whichever comes first', () => {
    const [low, high] = [ME, PEER].sort() as [GatewayId, GatewayId];
    for (const order of [
      [low, high],
      [high, low],
    ] as const) {
      const rows = ground().take(...order.map((gateway) => home(2, gateway)));
      expect(row(rows)?.home).toEqual({ tenure: 2, gateway: high });
    }
  });

  test('only the present one speaks of its board', () => {
    const rows = ground().take(home(2));
    rows.foreign(presence(false, 1));
    expect(row(rows)?.here).toBe(true);
    rows.foreign(presence(false, 2), ME);
    expect(row(rows)?.here).toBe(true);
    rows.foreign(presence(false, 2));
    expect(row(rows)).toMatchObject({ here: false, sinceMs: 5 });
  });

  test('one that another key signed is none', () => {
    const rows = ground();
    expect(rows.foreign(fact('home', seal(homeNoun, { v: 1, board: BOARD, tenure: 9, gateway: PEER }, keyOf('board 2'))))).toBe(
      'wrong-signer',
    );
    expect(row(rows)?.home).toBeNull();
  });
});

describe('of offers', () => {
  const offered = (tenure: number, memoryMib: number, gateway = PEER): Fact => {
    const board = Object.assign(new PaperBoard('board 1'), { tenure, home: gateway });
    board.offer = { ...board.offer, memoryMib };
    return fact('offer', board.hello());
  };
  const memory = (...facts: Fact[]): number | undefined => boards.get(ground().take(...facts).draft, BOARD)?.offer?.memoryMib;

  test('the newest of the highest tenure counts, whichever comes first', () => {
    expect(memory(home(1), offered(1, 10), offered(1, 11))).toBe(11);
    expect(memory(home(2), offered(2, 20), home(1, ME), offered(1, 10, ME))).toBe(20);
    expect(memory(home(1, ME), offered(1, 10, ME), home(2), offered(2, 20))).toBe(20);
  });

  test('one of a tenure that has not come yet waits for it', () => {
    const rows = ground().take(home(1));
    expect(rows.foreign(offered(2, 20, ME))).toBe('conflict');
    expect(rows.waiting).toBe(1);
  });
});

describe('of requests and bindings', () => {
  test('the highest number counts, and of one number the greater hash, whichever comes first', () => {
    const two = [signedRequest({ sequence: 2, replicas: 1 }), signedRequest({ sequence: 2, replicas: 2 })];
    const results = [two, [...two].reverse()].map((order) => {
      const rows = ground().take(...order);
      expect(rows.foreign(signedRequest({ sequence: 1, replicas: 3 }))).toBe('');
      return requests.get(rows.draft, REQUEST);
    });
    expect(results[0]?.doc.sequence).toBe(2);
    expect(results[1]).toEqual(results[0]);
    const bound = [0n, 1n].map((netMib) => signedBinding('board 1', { version: 2, rates: { ...binding('board 1').rates, netMib } }));
    const [one, other] = [bound, [...bound].reverse()].map((order) =>
      bindings.get(ground().take(...order, signedBinding('board 1')).draft, BOARD),
    );
    expect(one?.version).toBe(2);
    expect(other).toEqual(one);
  });
});

describe('of leases', () => {
  const first = lease({ on: 'board 1' });
  const second = lease({ on: 'board 2', term: 2, guardianName: 'gateway b' });
  const current = (rows: Rows): Lease | undefined => currentLease(rows.draft, REQUEST, 0)?.doc;

  test('the higher term is the current one, whichever comes first', () => {
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      const rows = ground().take(...order.map((one) => signedLease(one, one === first ? 'gateway a' : 'gateway b')));
      expect(current(rows)).toEqual(second);
      expect(leasesFor(rows.draft, BOARD)).toEqual([]);
      expect(leasesFor(rows.draft, second.board).map(({ doc }) => doc.lease)).toEqual([second.lease]);
    }
  });

  test('none counts that its guardian did not sign, or whose id is not its own', () => {
    const rows = ground();
    expect(rows.foreign(signedLease(first, 'gateway b'))).toBe('wrong-signer');
    expect(rows.foreign(signedLease({ ...first, lease: second.lease }))).toBe('bad-schema');
    expect(leases.all(rows.draft)).toEqual([]);
  });

  test("one is opened and closed by its board's records, whether they come after it or before", () => {
    const records = usageChain('board 1', [
      { lease: first.lease, kind: 'open' },
      { lease: first.lease },
      { lease: first.lease, kind: 'close' },
    ]);
    for (const facts of [
      [signedLease(first), ...records],
      [...records, signedLease(first)],
      [records[0]!, signedLease(first), ...records.slice(1)],
    ]) {
      const rows = ground().take(...facts);
      expect(leases.get(rows.draft, first.lease)).toMatchObject({ opened: true, closed: true });
      expect(openLeases.all(rows.draft)).toEqual([]);
    }
    const half = ground().take(records[0]!, signedLease(first));
    expect(leases.get(half.draft, first.lease)).toMatchObject({ opened: true, closed: false });
  });

  test('none is closed by another board', () => {
    const foreign = usageChain('board 2', [
      { lease: first.lease, kind: 'open' },
      { lease: first.lease, kind: 'close' },
    ]);
    for (const facts of [
      [signedLease(first), ...foreign],
      [...foreign, signedLease(first)],
    ])
      expect(leases.get(ground().take(...facts).draft, first.lease)).toMatchObject({ opened: false, closed: false });
  });
});

describe('of closes', () => {
  const [less, more] = [closeAt(1, { [ME]: 3 }), closeAt(1, { [ME]: 3, [PEER]: 1 })];
  const known = (rows: Rows) => closes.get(rows.draft, ordinal(1));

  test('of one period the fuller vector counts, whichever comes first', () => {
    for (const order of [
      [less, more],
      [more, less],
    ]) {
      const rows = ground();
      frontiers.put(rows.draft, { size: 3, peaks: [] }, ME);
      frontiers.put(rows.draft, { size: 1, peaks: [] }, PEER);
      expect(known(rows.take(...order.map(closeFact)))).toEqual(more);
    }
  });

  test('one that counts more than is here takes no place, but waits', () => {
    const rows = ground().take(closeFact(less));
    expect(rows.foreign(closeFact(more))).toBe('conflict');
    expect([known(rows), rows.waiting]).toEqual([less, 1]);
  });

  test('one of a period that does not follow waits', () => {
    const rows = ground().take(closeFact(less));
    expect(rows.foreign(closeFact(closeAt(9, {})))).toBe('conflict');
    expect(rows.take(closeFact(closeAt(2, {}))).waiting).toBe(1);
  });
});

test('the release that everybody speaks of here is known', () => {
  const rows = ground().take(pair('board 3'), signedPublisher());
  expect(manifests.get(rows.draft, hex(RELEASE))?.doc.recipe).toBe('echo');
});
