/** A document that several roots sign, whose keys never meet on one machine. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { unsealOperator, unsealPublisher } from '../../../runtime/protocol/nouns/trust.ts';
import { lichen, refused, told } from './command.ts';

let cwd = '';
const place = () => ({ cwd });
const hexOf: Record<string, string> = {};
const document = (name: string) => new Uint8Array(readFileSync(join(cwd, name)));
const endorse = (noun: string, from: string, key: string, to: string, ...more: string[]) => [
  ...[noun, 'endorse', from, '--key', key, '--out', to, ...more],
];

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'lichen-endorse-'));
  for (const name of ['one', 'two', 'three', 'release', 'other']) {
    await told(['key', 'new', `${name}.key`], place());
    hexOf[name] = (await told<{ publicKey: string }>(['key', 'show', `${name}.key`], place())).publicKey;
  }
});
afterAll(() => rmSync(cwd, { recursive: true }));

test('a publisher of three roots begins, and goes on with one root less, each root on its own machine', async () => {
  const init = [
    'publisher',
    'init',
    '--root',
    'one.key',
    hexOf.two!,
    hexOf.three!,
    '--threshold',
    '2',
    '--name',
    'P',
    '--key',
    'release.key',
  ];
  await refused('bad-signature', 77, [...init, '--out', 'p1'], place());
  expect(existsSync(join(cwd, 'p1'))).toBe(false);
  const begun = await told<{ lacking: number; publisher: string }>([...init, '--out', 'p1.draft', '--unfinished'], place());
  expect(begun).toMatchObject({ version: 1, lacking: 1 });
  expect(() => unsealPublisher(nodeCrypto, document('p1.draft'), null)).toThrow(/fewer than 2 roots/);
  await refused('wrong-signer', 77, endorse('publisher', 'p1.draft', 'other.key', 'p1'), place());
  await refused('conflict', 75, endorse('publisher', 'p1.draft', 'one.key', 'p1'), place());
  await refused('bad-schema', 65, endorse('operator', 'p1.draft', 'two.key', 'p1'), place());
  const first = await told(endorse('publisher', 'p1.draft', 'three.key', 'p1'), place());
  expect(first).toMatchObject({ file: 'p1', version: 1, name: 'P', key: hexOf.three, lacking: 0 });
  const held = unsealPublisher(nodeCrypto, document('p1'), null).value;
  expect(held.publisher).toBe(begun.publisher);
  const id = ['publisher', 'id', '--root', hexOf.three!, hexOf.one!, hexOf.two!, '--threshold', '2'];
  expect(await told(id, place())).toEqual({ publisher: held.publisher });

  // Of the next version a new root signs, and one that is dropped by it.
  const next = ['publisher', 'next', 'p1', '--root', 'one.key', '--add-root', hexOf.other!, '--drop-root', hexOf.two!, '--unfinished'];
  expect(await told([...next, '--out', 'p2.draft'], place())).toMatchObject({ version: 2, lacking: 1 });
  await refused('bad-usage', 64, endorse('publisher', 'p2.draft', 'two.key', 'p2'), place());
  await refused('conflict', 75, endorse('publisher', 'p2.draft', 'two.key', 'p2', '--previous', 'p2.draft'), place());
  const byTwo = endorse('publisher', 'p2.draft', 'two.key', 'p2.two', '--previous', 'p1');
  expect(await told(byTwo, place())).toMatchObject({ version: 2, lacking: 1 });
  const byOther = endorse('publisher', 'p2.two', 'other.key', 'p2', '--previous', 'p1');
  expect(await told(byOther, place())).toMatchObject({ version: 2, lacking: 0 });
  expect(unsealPublisher(nodeCrypto, document('p2'), held).signers).toHaveLength(3);
});

test('a publisher puts another release key in the place of one, and revokes one that was stolen', async () => {
  const init = ['publisher', 'init', '--root', 'one.key', '--name', 'P', '--key', 'release.key', 'two.key', '--out', 'k1'];
  await told(init, place());
  const signed = ['--root', 'one.key', '--out'];
  const rotate = ['publisher', 'rotate', 'k1', '--from', 'release.key', '--to', hexOf.other!, ...signed];
  expect(await told([...rotate, 'k2'], place())).toMatchObject({ version: 2, keys: [hexOf.two, hexOf.other], lacking: 0 });
  const [first, second] = [unsealPublisher(nodeCrypto, document('k1'), null).value, document('k2')];
  const held = unsealPublisher(nodeCrypto, second, first).value;
  expect(held.revoked).toEqual([]);
  await refused('bad-usage', 64, ['publisher', 'rotate', 'k2', '--from', 'release.key', '--to', hexOf.three!, ...signed, 'k3'], place());

  // Also one that signs no more may have been stolen.
  const revoke = ['publisher', 'revoke', 'k2', '--key', 'other.key', hexOf.release!, ...signed];
  expect(await told([...revoke, 'k3'], place())).toMatchObject({ version: 3, keys: [hexOf.two], lacking: 0 });
  const third = unsealPublisher(nodeCrypto, document('k3'), held).value;
  expect(third.revoked.map(hex).sort()).toEqual([hexOf.release, hexOf.other].sort());
  await refused('bad-usage', 64, ['publisher', 'revoke', 'k3', '--key', 'two.key', '--root', 'three.key', '--out', 'k4'], place());
  expect(existsSync(join(cwd, 'k4'))).toBe(false);
});

test('an operator likewise; who signs is told what it is, and what is still to do', async () => {
  const gateway = `name=alpha,region=north,key=${hexOf.release},address=alpha.example:8883`;
  const init = [
    'operator',
    'init',
    '--root',
    'one.key',
    hexOf.two!,
    '--name',
    'North',
    '--gateway',
    gateway,
    '--unfinished',
    '--out',
    'o1.draft',
  ];
  const begun = await lichen(init, place());
  expect(begun.stdout).toContain('1 more root must sign: carry o1.draft there');
  const said = (await lichen(endorse('operator', 'o1.draft', 'two.key', 'o1'), place())).stdout;
  for (const word of ['"North", version 1', 'alpha.example:8883', hexOf.two, 'it is whole; push it: lichen operator push o1'])
    expect(said).toContain(word);
  expect(unsealOperator(nodeCrypto, document('o1'), null).value.name).toBe('North');
  // What was changed on the way is no longer what the first one signed.
  const changed = document('o1.draft');
  const at = Buffer.from(changed).indexOf('North');
  changed[at] = 'S'.charCodeAt(0);
  writeFileSync(join(cwd, 'changed'), changed);
  await refused('bad-signature', 77, endorse('operator', 'changed', 'two.key', 'o2'), place());
});

test('nobody makes a document that he does not sign', async () => {
  const init = ['publisher', 'init', '--root', hexOf.one!, '--name', 'P', '--key', 'release.key', '--unfinished', '--out', 'none'];
  await refused('bad-usage', 64, init, place());
});
