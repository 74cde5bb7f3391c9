/** What a release is made of, as CycloneDX 1.5 (ECMA-424). Nothing in it changes from one build of the same thing to the next. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { type Item, type Material, npmMaterial } from './items.ts';

/** Of a file that was bundled elsewhere: packages of npm, as the bundler names them above what it took of each; which version, it does not say. */
const bundledIn = (bytes: Bytes): string[] => {
  const paths = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString('utf8')
    .matchAll(/^\s*\/\/ (?:.*\/)?node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\//gm);
  return [...new Set([...paths].map(([, name = '']) => name))].sort();
};

const hashesOf = (sha256: string | null) => (sha256 === null ? {} : { hashes: [{ alg: 'SHA-256', content: sha256 }] });

const libraryOf = ({ name, version, purl, sha256 }: Material) => ({
  type: 'library',
  name,
  ...(version !== '' && { version }),
  purl,
  ...hashesOf(sha256),
});

/** `items` in the order of the tree. */
export const sbomOf = (recipe: { name: string; label: string }, items: Item[]): Bytes => {
  const files = items.flatMap((item) => (item.kind === 'file' ? [item] : []));
  const own = files.filter(({ of }) => of === undefined);
  const packages = new Map(files.flatMap(({ of }) => (of === undefined ? [] : [[of.purl, of] as const])));
  for (const { bytes, bundled = bundledIn(bytes).map((name) => npmMaterial(name, '')) } of own)
    for (const one of bundled) packages.set(one.purl, one);
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', name: recipe.name, version: recipe.label } },
    components: [
      ...[...packages.values()].map(libraryOf).sort((a, b) => (a.purl < b.purl ? -1 : 1)),
      ...own.map(({ path, bytes }) => ({ type: 'file', name: path, ...hashesOf(hex(nodeCrypto.sha256(bytes))) })),
    ],
  };
  return utf8(`${JSON.stringify(document, null, 2)}\n`);
};
