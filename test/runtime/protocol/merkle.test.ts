/** The log's Merkle tree against a naive one and against vectors of RFC 9162's reference. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bytes, equal, fromHex, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { openCheckpoint } from '../../../runtime/protocol/checkpoint.ts';
import { append, EMPTY, type Frontier, leafHash, nodeHash, rootOf } from '../../../runtime/protocol/merkle.ts';
import { entryBytes } from '../../../runtime/protocol/nouns/log.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { groundwork, idOf, logsOf, sealedLog } from '../../support/federation.ts';
import { noVectors, readLines } from '../../support/vectors.ts';

const grow = (leaves: Bytes[]): Frontier => leaves.reduce((tree, leaf) => append(testCrypto, tree, leaf), EMPTY);

/** RFC 6962 §2.1, word for word. */
const naive = (leaves: Bytes[]): Bytes => {
  const [first] = leaves;
  if (first === undefined) return testCrypto.sha256(new Uint8Array(0));
  if (leaves.length === 1) return leafHash(testCrypto, first);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(testCrypto, naive(leaves.slice(0, split)), naive(leaves.slice(split)));
};

/** The leaves of certificate-transparency's reference tree, and its roots at each size. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(fromHex);
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

describe('the frontier', () => {
  test('has the root of the naive tree at every size', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 70 }), (leaves) => {
        const tree = grow(leaves);
        expect(hex(rootOf(testCrypto, tree))).toBe(hex(naive(leaves)));
        expect(tree.size).toBe(leaves.length);
        // One peak for each set bit: what is stored is as long as the logarithm.
        expect(tree.peaks).toHaveLength(leaves.length.toString(2).replaceAll('0', '').length);
      }),
    );
  });

  test.each(ROOTS.map((root, size): [number, string] => [size, root]))('of the reference tree at size %i', (size, root) => {
    expect(hex(rootOf(testCrypto, grow(LEAVES.slice(0, size))))).toBe(root);
  });

  test('is not changed by what is appended to it', () => {
    const before = grow(LEAVES.slice(0, 5));
    const root = hex(rootOf(testCrypto, before));
    append(testCrypto, before, utf8('more'));
    expect(hex(rootOf(testCrypto, before))).toBe(root);
    expect(rootOf(testCrypto, append(testCrypto, before, utf8('a')))).not.toEqual(
      rootOf(testCrypto, append(testCrypto, before, utf8('b'))),
    );
  });

  test('counts beyond 32 bits', () => {
    const huge: Frontier = { size: 2 ** 33 - 1, peaks: Array.from({ length: 33 }, (_, i) => testCrypto.sha256(new Uint8Array([i]))) };
    expect(append(testCrypto, huge, utf8('x'))).toMatchObject({ size: 2 ** 33, peaks: [expect.any(Uint8Array)] });
  });

  test('of a log has its entries for leaves [encoding-16]', () => {
    const [log = []] = logsOf([groundwork(['board 1'])]);
    const head = openCheckpoint(
      testCrypto,
      sealedLog(testCrypto, log, keyOf('gateway a')).head,
      idOf('gateway a'),
      keyOf('gateway a').publicKey,
    );
    expect(head.size).toBe(log.length);
    expect(hex(head.root)).toBe(hex(naive(log.map(entryBytes))));
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i));
  });

  test('keeps leaves and nodes apart', () => {
    const [a, b] = [leafHash(testCrypto, utf8('a')), leafHash(testCrypto, utf8('b'))];
    expect(hex(leafHash(testCrypto, Uint8Array.from([...a, ...b])))).not.toBe(hex(nodeHash(testCrypto, a, b)));
  });
});

/** RFC 9162 §2.1.3.2; the log itself needs no proofs, since peers hold whole logs, but its nodes must be hashed alike. */
const included = (leaf: Bytes, index: number, size: number, proof: Bytes[], root: Bytes): boolean => {
  if (index >= size || leaf.length !== 32) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(testCrypto, sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at >> 1, last >> 1];
    } else {
      hash = nodeHash(testCrypto, hash, sibling);
    }
    [at, last] = [at >> 1, last >> 1];
  }
  return last === 0 && equal(hash, root);
};

/** RFC 9162 §2.1.4.2. */
const consistent = (size1: number, size2: number, proof: Bytes[], root1: Bytes, root2: Bytes): boolean => {
  if (size1 === 0) return false;
  if (size1 === size2) return proof.length === 0 && equal(root1, root2);
  if (size1 > size2 || proof.length === 0) return false;
  const path = Number.isInteger(Math.log2(size1)) ? [root1, ...proof] : proof;
  let [at, last] = [size1 - 1, size2 - 1];
  while (at % 2 === 1) [at, last] = [at >> 1, last >> 1];
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [one, two] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      [one, two] = [nodeHash(testCrypto, sibling, one), nodeHash(testCrypto, sibling, two)];
      while (at % 2 === 0 && at !== 0) [at, last] = [at >> 1, last >> 1];
    } else {
      two = nodeHash(testCrypto, two, sibling);
    }
    [at, last] = [at >> 1, last >> 1];
  }
  return last === 0 && equal(one, root1) && equal(two, root2);
};

describe.skipIf(noVectors)('RFC 9162’s vectors (LICHEN_VECTORS)', () => {
  interface Vector {
    name: string;
    kind: string;
    case: Record<'leafIdx' | 'treeSize' | 'size1' | 'size2', number> &
      Record<'root' | 'root1' | 'root2' | 'leafHash', string | null> & { proof: string[] | null; wantErr: boolean };
  }
  const vectors = noVectors ? [] : (readLines('merkle-rfc9162.jsonl') as Vector[]);
  const of = (text: string | null): Bytes => Uint8Array.from(Buffer.from(text ?? '', 'base64'));

  test.each<[string, number, number, (vector: Vector['case']) => boolean]>([
    [
      'inclusion',
      98,
      6,
      ({ leafHash: leaf, leafIdx, treeSize, proof, root }) => included(of(leaf), leafIdx, treeSize, (proof ?? []).map(of), of(root)),
    ],
    [
      'consistency',
      98,
      6,
      ({ size1, size2, proof, root1, root2 }) => consistent(size1, size2, (proof ?? []).map(of), of(root1), of(root2)),
    ],
  ])('of %s: %i, of which %i hold', (kind, cases, holding, verify) => {
    const own = vectors.filter((vector) => vector.kind === kind);
    const accepted = own.filter((vector) => verify(vector.case));
    console.info(`Merkle ${kind}: ${own.length} ran, ${accepted.length} accepted, ${own.length - accepted.length} refused`);
    expect(own).toHaveLength(cases);
    expect(accepted).toHaveLength(holding);
    for (const vector of own) expect([vector.name, verify(vector.case)]).toEqual([vector.name, !vector.case.wantErr]);
  });

  test('have the frontier’s roots wherever they speak of the reference tree', () => {
    // "single-entry" and "additional" make up their roots.
    const real = vectors.filter(({ name, case: { wantErr } }) => !wantErr && /^\w+\/\d/.test(name));
    const named = real.flatMap(({ kind, case: { treeSize, root, size1, root1, size2, root2 } }): [number, string | null][] => {
      if (kind === 'inclusion') return [[treeSize, root]];
      return kind === 'consistency'
        ? [
            [size1, root1],
            [size2, root2],
          ]
        : [];
    });
    console.info(`Merkle roots: ${named.length} compared with the frontier; 322 subtree cases do not apply, there are no subtree proofs`);
    expect(named).toHaveLength(15);
    for (const [size, root] of named) expect(hex(rootOf(testCrypto, grow(LEAVES.slice(0, size))))).toBe(hex(of(root)));
  });
});
