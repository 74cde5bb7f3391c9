/** What an instance is started with: its release's words, with the parameters that its request sets. */
import { termsOf } from '../core/hooks.ts';
import { contents, documents, type Instance, type Serving } from '../core/tables.ts';
import { keptFor, leaseToRun, releaseOf } from '../core/trial.ts';
import { openRequest } from '../core/trust.ts';
import type { PartitionSpec } from '../ports/partitions.ts';
import { equal, hex, utf8 } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import type { HookName, Manifest } from '../protocol/nouns/release.ts';
import type { Request } from '../protocol/nouns/request.ts';
import { type Given, givenTo, knownTo } from '../protocol/parameters.ts';
import type { DigestOf } from './assignment.ts';
import type { Board, Work } from './events.ts';
import { policyOf } from './reach.ts';
import { secretsFor } from './secrets.ts';
import { servedBy } from './shares.ts';
import { manifestFor } from './verified.ts';

const requestOf = (work: Work, board: Board, { lease, request }: Instance): Request =>
  openRequest(board.crypto, lease, request, documents.get(work, hex(request)) ?? refuse('missing-content', 'request'));

/** What is asked of a release need not be known to the one before. */
const askedOf = (instance: Instance, manifest: Manifest, { parameters, release }: Request): Record<string, string> =>
  equal(releaseOf(instance), release) ? parameters : knownTo(manifest, parameters);

const sorted = (texts: Record<string, string>): [string, string][] => Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1));

/** Of an instance that is not shared, of its parameters alone. */
const digest = (board: Board, { texts }: Given, shares: string | undefined): string =>
  hex(board.crypto.sha256(utf8(JSON.stringify(sorted(texts)) + (shares ?? ''))));

export const digestFor =
  (work: Work, board: Board): DigestOf =>
  (instance, request) => {
    const manifest = manifestFor(work, board, leaseToRun(instance));
    if (manifest === null) return '';
    return digest(board, givenTo(manifest, askedOf(instance, manifest, request)), servedBy(work, board, instance, manifest, request).text);
  };

/** Digest of the parameters that the request which is obeyed asks for. */
export const wantedBy = (work: Work, board: Board, instance: Instance): string =>
  digestFor(work, board)(instance, requestOf(work, board, instance));

const variablesOf = (texts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([name, value]) => [`LICHEN_${name.toUpperCase().replaceAll('-', '_')}`, value]));

/** What an instance is begun with, or told anew while it runs. */
interface Start {
  spec: PartitionSpec;
  digest: string;
  serving: Omit<Serving, 'sinceMonoMs'>;
}

/** Errors: `bad-parameter`, and those of a request. */
export const givenNow = (work: Work, board: Board, instance: Instance, hook: HookName | null = null): Start => {
  const manifest = manifestFor(work, board, leaseToRun(instance)) ?? refuse('missing-content', 'manifest');
  const request = requestOf(work, board, instance);
  const given = givenTo(manifest, askedOf(instance, manifest, request));
  const rootPath = contents.get(work, hex(releaseOf(instance)))?.rootPath ?? refuse('missing-content', 'root');
  const { texts, typed } = given;
  const { lease } = instance;
  const { engine, devices = [] } = manifest;
  const words = hook === null ? manifest.args : (termsOf(hook, manifest)?.args ?? refuse('internal', `no hook ${hook}`));
  const args = words.map((arg) => arg.replace(/\{\{([a-z][a-z0-9-]*)\}\}/g, (whole, name: string) => texts[name] ?? whole));
  const env = { ...manifest.env, ...variablesOf(texts) };
  const network = policyOf(work, board, lease.lease, instance);
  const secrets = secretsFor(board, request);
  const { text: shares, ...serving } = servedBy(work, board, instance, manifest, request);
  const spec = { partition: lease.lease, rootPath, args, env, engine, limits: lease.limits, network, devices, secrets };
  const kept = keptFor(instance, hook, manifest.data?.onUpdate === 'snapshot');
  const data = { kept, hook: hook ?? undefined, hooked: hook === null && instance.hook === 'changed' };
  return { spec: { ...spec, ...data, parameters: JSON.stringify(typed), shares }, digest: digest(board, given, shares), serving };
};

/** Whom an instance serves that was begun before the runtime was. */
export const servingNow = (work: Work, board: Board, instance: Instance): Start['serving'] => {
  const manifest = manifestFor(work, board, leaseToRun(instance)) ?? refuse('missing-content', 'manifest');
  const { text: _told, ...serving } = servedBy(work, board, instance, manifest, requestOf(work, board, instance));
  return serving;
};
