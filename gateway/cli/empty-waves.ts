/** Waves to which nobody belongs, before they are signed: a label that is mistyped would leave a release without the canary that was meant. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import type { TenantId } from '../../runtime/protocol/ids.ts';
import { type Rollout, requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import type { Client } from './client.ts';
import { misused } from './words.ts';

/** As many labels as a person reads. */
const NAMED = 8;

type Labels = readonly (readonly string[])[];

const knownText = (labels: Labels): string => {
  const known = [...new Set(labels.flat())].sort();
  if (known.length === 0) return 'they have no labels';
  return `they have ${known.slice(0, NAMED).join(', ')}${known.length > NAMED ? ` and ${known.length - NAMED} more` : ''}`;
};

/**
 * The plan as it is to be signed, of members whose boards have these labels; `whose`: what a person calls them. A number and a share always take in
 * somebody, be it somebody whom a wave before has taken in: only of a label there may be nobody.
 */
export const withoutEmpty = (plan: Rollout, labels: Labels, whose: string, skips: boolean): Rollout => {
  const isEmpty = (wave: Rollout['waves'][number]): boolean => wave.kind === 'label' && !labels.some((of) => of.includes(wave.label));
  const [first] = plan.waves.filter(isEmpty);
  if (first?.kind !== 'label') return plan;
  if (!skips)
    misused(
      `--wave label=${first.label} takes in nobody: of ${labels.length} ${whose} none has that label; ${knownText(labels)}. Name one of these, or leave such waves out with --skip-empty`,
    );
  const waves = plan.waves.filter((wave) => !isEmpty(wave));
  return waves.length > 0 ? { ...plan, waves } : misused('--skip-empty leaves no wave; without --wave it reaches all at once');
};

/** Labels of the boards that its replicas are on; of all boards, while it is on none. */
const labelsFor = async (client: Client, tenant: TenantId, name: string): Promise<{ labels: string[][]; whose: string }> => {
  const [id, boards] = [requestIdOf(nodeCrypto, tenant, name), await client.ask('boards')];
  const on = new Set((await client.ask('instances')).flatMap(({ request, board }) => (request === id ? [board] : [])));
  const placed = boards.filter(({ board }) => on.has(board));
  return placed.length === 0
    ? { labels: boards.map(({ labels }) => labels), whose: 'boards' }
    : { labels: placed.map(({ labels }) => labels), whose: `boards that ${name} is on` };
};

/** Of a request; the gateway is asked only where it has to be. */
export const seenThrough = async (plan: Rollout, client: Client, tenant: TenantId, name: string, skips: boolean): Promise<Rollout> => {
  if (plan.waves.every(({ kind }) => kind !== 'label')) return plan;
  const { labels, whose } = await labelsFor(client, tenant, name);
  return withoutEmpty(plan, labels, whose, skips);
};
