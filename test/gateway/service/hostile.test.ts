/** What a tenant, a board's program or one gateway says must not end a gateway, hang it, or keep the others from billing. */
import { describe, expect, test } from 'vitest';
import type { Context } from '../../../gateway/core/context.ts';
import { appendOwn } from '../../../gateway/core/log.ts';
import { sign1 } from '../../../runtime/protocol/cose.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { closeSchema, type EntryKind } from '../../../runtime/protocol/nouns/log.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import * as on from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';
import { smallRelease } from '../../support/small-release.ts';

/** What a gateway appends to its own log by its own right. */
const logs = (node: Node, kind: EntryKind, body: Uint8Array): void => {
  let isDone = false;
  node.before = (work, _event, now) => {
    if (isDone) return;
    isDone = true;
    const context = { crypto: testCrypto, signer: keyOf(node.name), me: node.id, operator: on.OPERATOR, silenceMs: 3000 } satisfies Context;
    appendOwn(work, context, kind, body, now);
  };
  node.call('status');
  node.before = () => {};
};

describe('a tenant', () => {
  const alone = (): Node => new GatewayWorld(['gateway a']).node(0).admit('tenant', 'tenant');

  test.each([
    ['many letters of two bytes', 'é'.repeat(600)],
    ['half a pair where the reason is cut', `${'x'.repeat(760)}${'😀'.repeat(100)}`],
    ['one more', `${'x'.repeat(761)}${'😀'.repeat(100)}`],
  ])('is told why, whatever its document calls itself: %s', (_name, typ) => {
    const answer = alone().push(sign1(typ, new Uint8Array([1]), keyOf('tenant')));
    expect(answer).toMatchObject({ ok: false, code: 'bad-schema' });
  });

  test('is told why its question is none', () => {
    const node = alone();
    const heard: string[] = [];
    for (let before = 0; before < 4; before++) {
      const session = node.session({ hear: (topic) => heard.push(topic), dropped: () => {} });
      const id = on.idOf<string>('tenant');
      node.submit({ kind: 'connected', session, party: 'tenant', id, key: keyOf('tenant').publicKey });
      node.message(
        session,
        'tenant',
        id,
        'watch',
        sign1(`${'x'.repeat(200 + before)}${'😀'.repeat(200)}`, new Uint8Array([1]), keyOf('tenant')),
      );
    }
    expect(heard).toEqual(Array(4).fill('lines'));
  });

  test('whose requests lead to each other by millions of ways is answered', () => {
    const node = alone();
    node.accept(on.signedPublisher().body);
    const names = Array.from({ length: 8 }, (_, i) => `l${i}`);
    const links = names.map((name, i) => ({ name, port: 80 + i, protocol: 'tcp' as const }));
    const leaf = smallRelease({ recipe: 'leaf', parameters: {}, args: ['/bin/main'] });
    const middle = smallRelease({
      recipe: 'middle',
      parameters: {},
      args: ['/bin/main'],
      network: { outbound: [], dns: false, links, publish: [] },
    });
    node.accept(leaf.document, middle.document);
    for (let layer = 0; layer < 12; layer++)
      for (let i = 0; i < 8; i++) {
        const name = `n${layer}x${i}`;
        const to = layer === 0 ? {} : { links: Object.fromEntries(names.map((link, j) => [link, `n${layer - 1}x${j}`])) };
        const { release } = layer === 0 ? leaf : middle;
        node.accept(on.signedVoucher({ name }).body, on.signedRequest({ name, release, state: 'stopped', replicas: 1, ...to }).body);
      }
    expect(node.json('requests')).toHaveLength(96);
  });
});

describe('one gateway', () => {
  test('that gives a lease of the highest term keeps the others from nothing but that instance', () => {
    const world = new GatewayWorld(['gateway a', 'gateway b']).linkAll().pump();
    const [a, b] = [world.node(0), world.node(1)];
    a.admit('tenant', 'tenant');
    const board = new PaperBoard('board 1');
    board.pair(a);
    const { document, content, release } = smallRelease();
    a.accept(on.signedPublisher().body, on.signedBinding('board 1').body, document, ...content.values());
    board.connect(a);
    a.accept(on.signedVoucher().body, on.signedRequest({ release, replicas: 1, priceCap: on.RATES }).body);
    world.pass(10_000);
    expect(a.json('instances')).toMatchObject([{ term: 1 }]);
    const lease = on.lease({ on: 'board 1', guardianName: 'gateway b', term: Number.MAX_SAFE_INTEGER, release: on.RELEASE });
    logs(b, 'lease', on.signedLease(lease, 'gateway b').body);
    world.pass(10_000);
    expect(a.log(b.id)).not.toEqual([]);
    a.stop();
    a.start();
    world.heal();
    expect(a.json('instances')).toContainEqual(expect.objectContaining({ term: Number.MAX_SAFE_INTEGER }));
  });

  test.each([
    ['of a period that is none yet', { period: Number.MAX_SAFE_INTEGER, vector: {} }],
    ['that counts what nobody will ever hold', { period: 1, vector: { [on.idOf<string>('gateway b')]: Number.MAX_SAFE_INTEGER } }],
  ])('whose close is one %s does not keep the others from billing', (_name, of) => {
    const world = new GatewayWorld().linkAll().pump();
    const [a, b, c] = [world.node(0), world.node(1), world.node(2)];
    a.json('close');
    world.pass(1000);
    const before = a.bytes('statement', { period: '1' });
    logs(b, 'close', encodeAs(closeSchema, { v: 1, closedMs: 1, ...of }, 'close'));
    world.pass(5000);
    expect(a.bytes('statement', { period: '1' })).toEqual(before);
    a.json('close');
    world.pass(1000);
    expect(c.bytes('statement', { period: '2' })).toEqual(a.bytes('statement', { period: '2' }));
  });
});
