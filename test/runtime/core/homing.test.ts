import { describe, expect, test } from 'vitest';
import { backoffMs, homesFor, listedGateways, patienceMs, servingGateways } from '../../../runtime/core/homing.ts';
import type { GatewayId, OperatorId } from '../../../runtime/protocol/ids.ts';
import type { GatewayEntry, OperatorDoc } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { idOf, operatorDoc } from '../../support/federation.ts';
import { seededEntropy } from '../../support/world.ts';

const entry = (name: string): GatewayEntry => ({
  gateway: idOf<GatewayId>(name),
  key: keyOf(name).publicKey,
  ...{ name: 'g', region: 'north', address: 'g.example:1' },
});
const docOf = (operator: string, names: string[], changes: Partial<OperatorDoc> = {}): OperatorDoc => ({
  ...operatorDoc(),
  operator: idOf<OperatorId>(operator),
  gateways: names.map(entry),
  ...changes,
});
const idsOf = (entries: GatewayEntry[]): GatewayId[] => entries.map(({ gateway }) => gateway);
const ids = (...names: string[]): GatewayId[] => names.map((name) => idOf<GatewayId>(name));

describe('gateways that count', () => {
  const peer = docOf('peer', ['p1', 'p2']);
  const stranger = docOf('stranger', ['s1']);

  test('are those of the pinned operator and of the ones it federates with', () => {
    const pinned = docOf('mine', ['m1'], { peers: [idOf<OperatorId>('peer')] });
    expect(idsOf(servingGateways(pinned, [stranger, peer, pinned]))).toEqual(ids('m1', 'p1', 'p2'));
    expect(idsOf(servingGateways(docOf('mine', ['m1']), [peer]))).toEqual(ids('m1'));
  });

  test('are not those whose key any of them revoked', () => {
    const pinned = docOf('mine', ['m1', 'm2'], { peers: [idOf<OperatorId>('peer')], revoked: [keyOf('p1').publicKey] });
    const revoking = { ...peer, revoked: [keyOf('m2').publicKey] };
    expect(idsOf(servingGateways(pinned, [revoking]))).toEqual(ids('m1', 'p2'));
    expect(idsOf(listedGateways(pinned, [revoking]))).toEqual(ids('m1', 'p2'));
  });

  test('are not revoked by a stranger', () => {
    const revoking = { ...stranger, revoked: [keyOf('m1').publicKey], retired: ids('m1') };
    expect(idsOf(servingGateways(docOf('mine', ['m1']), [revoking]))).toEqual(ids('m1'));
  });

  test('when retired serve nobody, and what they signed stands', () => {
    const pinned = docOf('mine', ['m1', 'm2'], { retired: ids('m1') });
    expect(idsOf(servingGateways(pinned, []))).toEqual(ids('m2'));
    expect(idsOf(listedGateways(pinned, []))).toEqual(ids('m1', 'm2'));
  });
});

describe('homes of a board', () => {
  const many = Array.from({ length: 9 }, (_, i) => entry(`g${i}`));

  test('are three, the same in whatever order the gateways are listed', () => {
    const homes = homesFor(testCrypto, 'board', many);
    expect(homes).toHaveLength(3);
    expect(homesFor(testCrypto, 'board', [...many].reverse())).toEqual(homes);
    expect(homesFor(testCrypto, 'board', many.slice(0, 2))).toHaveLength(2);
    expect(homesFor(testCrypto, 'board', [])).toEqual([]);
  });

  test('stay in their order when another gateway goes', () => {
    const [first, second, third] = homesFor(testCrypto, 'board', many);
    const without = homesFor(
      testCrypto,
      'board',
      many.filter((one) => one !== first),
    );
    expect(without.slice(0, 2)).toEqual([second, third]);
  });

  test('differ from board to board', () => {
    const firsts = new Set(Array.from({ length: 40 }, (_, i) => homesFor(testCrypto, `board ${i}`, many)[0]!.gateway));
    expect(firsts.size).toBeGreaterThan(5);
  });
});

describe('waiting between dials', () => {
  const highest = (attempt: number, homes: number): number => {
    const entropy = seededEntropy(`${attempt}/${homes}`);
    return Math.max(...Array.from({ length: 300 }, () => backoffMs(entropy, attempt, homes)));
  };

  test('is short until every home was tried, and then doubles up to a minute', () => {
    for (const attempt of [0, 1, 2]) expect(highest(attempt, 3)).toBeLessThan(250);
    for (const [attempt, limit] of [
      [0, 250],
      [3, 500],
      [5, 500],
      [6, 1000],
      [300, 60_000],
    ] as const) {
      expect(highest(attempt, 3)).toBeLessThan(limit);
      expect(highest(attempt, 3)).toBeGreaterThan(limit * 0.9);
    }
  });

  test('is a whole number from 0, also right after a session and without a home', () => {
    const entropy = seededEntropy('any');
    for (const attempt of [-1, 0, 1, 10_000]) {
      for (const homes of [0, 1, 3]) {
        const waitMs = backoffMs(entropy, attempt, homes);
        expect(Number.isSafeInteger(waitMs)).toBe(true);
        expect(waitMs).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

test('a dial is waited for longer each time nobody answers, up to what a slow link needs, and never less than usual', () => {
  expect([-1, 0, 1, 2, 3, 30].map((attempt) => patienceMs(20_000, attempt))).toEqual([20_000, 20_000, 40_000, 80_000, 90_000, 90_000]);
  expect(patienceMs(120_000, 5)).toBe(120_000);
});
