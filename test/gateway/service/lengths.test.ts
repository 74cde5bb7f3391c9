/** What one publisher says of content that nobody holds yet: it binds his own releases, and keeps out nobody else's. */
import { describe, expect, test } from 'vitest';
import { type Bytes, fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import type { PublisherId } from '../../../runtime/protocol/ids.ts';
import { sealMany } from '../../../runtime/protocol/noun.ts';
import type { ChunkRef, Entry } from '../../../runtime/protocol/nouns/release.ts';
import { publisherNoun, trustId } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { signedPublisher } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { publisherDoc, type SmallRelease, smallRelease } from '../../support/small-release.ts';

const STRANGER = trustId(testCrypto, 'publisher', { roots: [keyOf('strange root').publicKey], threshold: 1 }) as PublisherId;
const strangePublisher: Bytes = sealMany(
  publisherNoun,
  publisherDoc({
    ...{ publisher: STRANGER, name: 'Stranger', roots: [keyOf('strange root').publicKey], threshold: 1 },
    keys: [keyOf('strange key').publicKey],
  }),
  [keyOf('strange root')],
);

const honest = smallRelease();
const chunk = honest.chunks[2] ?? '';
const LENGTH = honest.content.get(chunk)?.length ?? 0;

/** Of another publisher, whose pages say of the honest one's chunk that it is so long. */
const claims = (...lengths: number[]): SmallRelease => {
  const chunks = lengths.map((bytes): ChunkRef => [fromHex(chunk), bytes]);
  const file = (path: string, ref: ChunkRef): Entry => ({
    ...{ kind: 'file', path, executable: true, hash: testCrypto.sha256(new Uint8Array([9])), bytes: ref[1] },
    chunks: [ref],
  });
  const tree = chunks.map((ref, at) => [file(`main${at}`, ref)]);
  return smallRelease({ publisher: STRANGER, recipe: 'strange', args: ['/main0'] }, { by: 'strange key', tree });
};

const pagesOf = ({ manifest, content }: SmallRelease): Bytes[] => manifest.pages.map((page) => content.get(hex(page)) ?? new Uint8Array());

const both = (node: Node): Node => node.admit('tenant', 'tenant').accept(signedPublisher().body, strangePublisher);
const rowsOf = (node: Node) =>
  Object.fromEntries(
    (node.json('releases') as { recipe: string; missing: number; refused: string }[]).map(({ recipe, ...row }) => [recipe, row]),
  );

describe('a chunk that nobody holds [delivery-16]', () => {
  test.each([LENGTH - 1, LENGTH + 1, 1, 65_536])('of which a stranger says that it has %i bytes is taken for the others', (said) => {
    const node = both(new GatewayWorld(['gateway a']).node(0));
    const strange = claims(said);
    node.accept(strange.document, ...pagesOf(strange), honest.document, ...honest.content.values());
    expect(rowsOf(node)).toMatchObject({
      echo: { missing: 0, refused: '' },
      strange: { refused: expect.stringContaining(`has ${LENGTH} bytes, a page says ${said}`) },
    });
  });

  test('is taken whoever comes first, and whoever was right', () => {
    const node = both(new GatewayWorld(['gateway a']).node(0));
    const strange = claims(LENGTH - 1);
    node.accept(honest.document, ...pagesOf(honest), strange.document, ...pagesOf(strange));
    for (const key of honest.chunks) node.accept(honest.content.get(key) ?? new Uint8Array());
    expect(rowsOf(node)).toMatchObject({ echo: { missing: 0, refused: '' }, strange: { refused: expect.stringContaining('bytes') } });
  });

  test('is of one length in all pages of one release', () => {
    const node = both(new GatewayWorld(['gateway a']).node(0));
    const strange = claims(50, 51);
    const [first, second] = pagesOf(strange) as [Bytes, Bytes];
    node.accept(strange.document, first);
    expect(node.push(second)).toMatchObject({ ok: false, code: 'bad-schema' });
  });

  test('comes to every gateway, whichever of them heard the stranger first', () => {
    for (const order of [0, 1]) {
      const world = new GatewayWorld(['gateway a', 'gateway b']);
      const [near, far] = [both(world.node(order)), both(world.node(1 - order))];
      const strange = claims(LENGTH - 1);
      near.accept(strange.document, ...pagesOf(strange));
      far.accept(honest.document, ...honest.content.values());
      world.heal();
      world.pass(60_000);
      for (const node of [near, far])
        expect(rowsOf(node), node.name).toMatchObject({
          echo: { missing: 0, refused: '' },
          strange: { refused: expect.stringContaining('bytes') },
        });
    }
  });
});
