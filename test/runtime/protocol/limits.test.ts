/** One number for each limit: the table in docs/spec/limits.md says the same, and what must fit together does. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { payloadOf, seal, sealMany } from '../../../runtime/protocol/noun.ts';
import { reportNoun } from '../../../runtime/protocol/nouns/board.ts';
import { desiredNoun, leaseNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { manifestNoun } from '../../../runtime/protocol/nouns/release.ts';
import { operatorNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { parse } from '../../../runtime/protocol/schema.ts';
import { keyOf } from '../../support/crypto.ts';
import * as on from '../../support/federation.ts';
import { SIGNED } from '../../support/frames.ts';

test('docs/spec/limits.md has every limit with its number', () => {
  const text = readFileSync(fileURLToPath(new URL('../../../docs/spec/limits.md', import.meta.url)), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| ([\d,]+) \| \S/gm)].map(([, name = '', number = '']) => [
    name,
    Number(number.replaceAll(',', '')),
  ]);
  expect(Object.fromEntries(rows)).toEqual({ ...LIMITS });
});

describe('what must fit does', () => {
  const signer = keyOf('gateway a');

  test('a board full of leases into one assignment and one report', () => {
    const one = seal(leaseNoun, on.lease({ on: 'board 1' }), signer);
    const leases = Array.from({ length: LIMITS.partitionsPerBoard }, () => ({ lease: one, request: new Uint8Array(32) }));
    const common = { v: 1 as const, board: on.binding('board 1').board };
    const desired = { ...common, gateway: on.lease({ on: 'board 1' }).guardian, tenure: 1, seq: 1, leases };
    expect(seal(desiredNoun, desired, signer).length).toBeLessThan(LIMITS.payloadBytes);
    const row = {
      lease: on.lease({ on: 'board 1' }).lease,
      state: 'running' as const,
      promise: 'held' as const,
      restarts: 1,
      address: 'x'.repeat(40),
      detail: 'y'.repeat(LIMITS.textBytes),
    };
    const report = { ...common, bootId: 'b', monoMs: 1, instances: leases.map(() => row) };
    expect(seal(reportNoun, report, signer).length).toBeLessThan(LIMITS.payloadBytes);
  });

  test('an operator’s gateways into its document, with all roots signing', () => {
    const [entry] = on.operatorDoc().gateways;
    const gateways = Array.from({ length: LIMITS.gateways }, () => ({ ...entry!, address: 'gateway-00.lower-saxony.lichen.example:8883' }));
    const roots = Array.from({ length: 4 }, (_, i) => keyOf(`root ${i}`));
    const doc = on.operatorDoc({ gateways, roots: roots.map(({ publicKey }) => publicKey) });
    expect(sealMany(operatorNoun, doc, roots).length).toBeLessThanOrEqual(LIMITS.trustBytes);
    expect(() => payloadOf(operatorNoun, { ...doc, gateways: [...gateways, entry!] })).toThrow('bad-schema');
  });

  test('the most pages into a manifest', () => {
    const golden = SIGNED.find(({ name }) => name === 'manifest');
    const manifest = parse(manifestNoun.schema, golden?.value, 'manifest');
    const pages = Array.from({ length: LIMITS.pages }, () => new Uint8Array(32));
    expect(seal(manifestNoun, { ...manifest, pages }, signer).length).toBeLessThan(LIMITS.manifestBytes);
  });

  test('every golden document into its kind’s limit, with 400 bytes to spare', () => {
    for (const { name, noun, document } of SIGNED) expect(document.length + 400, name).toBeLessThan(noun.maxBytes);
  });
});
