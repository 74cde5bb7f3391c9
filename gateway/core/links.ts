/** Links between instances of one tenant: where they can be, and that no two wait for each other. */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { targetsOf } from '../../runtime/protocol/nouns/reach.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import { type Request, requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import type { Rows } from './context.ts';
import { manifests, requests } from './tables.ts';

/** Requests beside whose instances it has to be. */
export const linkedRequests = (crypto: Crypto, manifest: Manifest, request: Request): RequestId[] =>
  [...new Set(targetsOf(manifest, request).values())].map((name) => requestIdOf(crypto, request.tenant, name));

const linksOf = (rows: Rows, { doc }: { doc: Request }): string[] => {
  const manifest = manifests.get(rows, hex(doc.release))?.doc;
  return manifest === undefined || doc.state === 'destroyed' ? [] : [...targetsOf(manifest, doc).values()];
};

/** Each is placed beside what it links to, so in a circle nobody would be the first. Error: `conflict`. */
export const checkCircle = (rows: Rows, crypto: Crypto, manifest: Manifest, request: Request): void => {
  // Each once: by how many ways it is reached grows with the power of the layers.
  const seen = new Set<string>();
  const walk = (name: string, way: string[]): void => {
    if (name === request.name) refuse('conflict', `links in a circle: ${[...way, name].join(' → ')}; each would wait for the next`);
    if (seen.has(name)) return;
    seen.add(name);
    const held = requests.get(rows, requestIdOf(crypto, request.tenant, name));
    for (const next of held === null ? [] : linksOf(rows, held)) walk(next, [...way, name]);
  };
  for (const first of targetsOf(manifest, request).values()) walk(first, [request.name]);
};
