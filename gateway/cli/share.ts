/** `lichen share`: a tenant's part of an instance that serves many, signed on its own machine. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint, type TenantId } from '../../runtime/protocol/ids.ts';
import { requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import { type Share, shareIdOf, shareSchema } from '../../runtime/protocol/nouns/share.ts';
import { name as nameSchema, tenantId } from '../../runtime/protocol/schema.ts';
import { keysOf, type StandingShare } from './answers.ts';
import { makeShare } from './ceremony.ts';
import { type ApiFlags, type Client, openClient } from './client.ts';
import { writeDocument } from './documents.ts';
import { readKey } from './keys.ts';
import { brief, emit, type JsonFlag, table } from './output.ts';
import { type PushFlags, withPusher } from './push.ts';
import { addApi, addPush, addVerb } from './verbs.ts';
import { misused, pairs, wholeNumber, word } from './words.ts';

interface MakeFlags extends ApiFlags, JsonFlag {
  tenantKey: string;
  name: string;
  host: string;
  param?: string[];
  sequence?: string;
  out?: string;
}

/** `NAME` of the tenant itself, or `TENANT/NAME`. */
const hostFrom = (text: string, own: TenantId): Share['host'] => {
  const [first = '', second, ...more] = text.split('/');
  if (more.length > 0) misused(`--host is NAME or TENANT/NAME, not "${text}"`);
  return second === undefined
    ? { tenant: own, name: word(nameSchema, first, '--host') }
    : { tenant: word(tenantId, first, '--host'), name: word(nameSchema, second, '--host') };
};

const nextSequence = async (client: Client, share: string): Promise<number> =>
  ((await client.ask('shares')).find((row) => row.share === share)?.sequence ?? 0) + 1;

const make = async (flags: MakeFlags): Promise<void> => {
  const { signer } = readKey(flags.tenantKey);
  const tenant = fingerprint<TenantId>(nodeCrypto, signer.publicKey);
  const name = word(nameSchema, flags.name, '--name');
  const host = hostFrom(flags.host, tenant);
  const parameters = word(shareSchema.entries.parameters, pairs(flags.param ?? [], '--param'), '--param');
  const share = shareIdOf(nodeCrypto, requestIdOf(nodeCrypto, host.tenant, host.name), tenant, name);
  const sequence =
    flags.sequence === undefined ? await nextSequence(openClient(flags), share) : wholeNumber(flags.sequence, '--sequence', 1);
  const out = flags.out ?? `${name}-${sequence}.share`;
  writeDocument(out, makeShare(nodeCrypto, signer, { name, sequence, state: 'started', host, parameters }), false);
  emit(flags, { share, name, sequence, tenant, host, file: out }, () =>
    [`share ${name} of ${host.name}, sequence ${sequence}`, `Push it: lichen request push ${out}`].join('\n'),
  );
};

const list = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const shares = await openClient(flags).ask('shares');
  emit(flags, shares, () =>
    table(
      ['NAME', 'STATE', 'HOST', 'SERVED BY', 'TENANT', 'SHARE'],
      shares.map(({ name, state, host, servings, refused, tenant, share }) => {
        const by = refused === '' ? String(servings.filter(({ detail }) => detail === '').length) : refused;
        return [name, state, `${brief(host.tenant)}/${host.name}`, by, brief(tenant), share];
      }),
      'No shares. `lichen share make` asks a shared instance for one.',
    ),
  );
};

const servingText = ({ index, board, address, connection, detail }: StandingShare['servings'][number]): string[] => [
  `  by instance ${index} on board ${brief(board)}${address === null ? '' : `, address ${address}`}${detail === '' ? '' : `: ${detail}`}`,
  ...(connection === null ? [] : [`    connection ${connection}`]),
];

const shareText = ({ name, sequence, state, host, refused, servings }: StandingShare): string =>
  [
    `${name} of ${host.name}, sequence ${sequence}, ${state}${refused === '' ? '' : `; not served: ${refused}`}`,
    ...servings.flatMap(servingText),
  ].join('\n');

/** By its id, or by its name where one tenant alone has one of that name. */
const standing = async (client: Client, what: string, tenant?: string): Promise<StandingShare> => {
  const isMeant = ({ share, name, tenant: whose }: StandingShare): boolean =>
    share === what || (name === what && (tenant === undefined || whose === tenant));
  const found = (await client.ask('shares')).filter(isMeant);
  if (found.length > 1) misused(`${found.length} shares are called ${what}: say which by its id, as \`lichen share list\` shows them`);
  return found[0] ?? refuse('not-found', `no share ${what} at ${client.url}`);
};

const show = async (what: string, flags: ApiFlags & JsonFlag): Promise<void> => {
  const share = await standing(openClient(flags), what);
  emit(flags, share, () => shareText(share));
};

const destroy = async (what: string, flags: PushFlags & JsonFlag): Promise<void> => {
  const { signer } = readKey(flags.tenantKey ?? misused('--tenant-key FILE is needed: the tenant signs what becomes of its share'));
  const held = await standing(openClient(flags), what, fingerprint(nodeCrypto, signer.publicKey));
  const { share, name, host, parameters } = held;
  const sequence = held.sequence + 1;
  const terms = { name, sequence, state: 'destroyed' as const, host: { tenant: host.tenant, name: host.name }, parameters };
  await withPusher(flags, (pusher) => pusher.push(makeShare(nodeCrypto, signer, terms)));
  emit(flags, { share, name, sequence, state: terms.state }, () => `${name} is not to be served any more (sequence ${sequence})`);
};

export const register = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'make',
      says: 'sign the wish for a share of a shared instance, or for other parameters of it, and write it to a file',
      examples: [
        'share make --tenant-key tenant.key --name blog --host TENANT/front --param path=blog --param target=http://10.0.0.7:8080',
      ],
      gives: { keys: ['share', 'name', 'sequence', 'tenant', 'host', 'file'] },
    }),
  )
    .requiredOption('--tenant-key <file>', "the tenant's key file")
    .requiredOption('--name <name>', 'what the tenant calls it; the same name again replaces the former wish')
    .requiredOption('--host <request>', "the request whose instances are to serve it: NAME, or another tenant's as TENANT/NAME")
    .option('--param <key=value...>', 'a parameter that the release of its host takes of each share')
    .option('--sequence <number>', 'rises with every word on this share; by default the gateway is asked for the next one')
    .option('--out <file>', 'where the signed wish goes; by default NAME-SEQUENCE.share')
    .action(make);
  addApi(
    addVerb(noun, {
      usage: 'list',
      says: 'shares, and how many instances serve each',
      examples: ['share list'],
      gives: { keys: keysOf.share, list: true },
    }),
  ).action(list);
  addApi(
    addVerb(noun, {
      usage: 'show <share>',
      says: 'one share: who serves it, and what they say of how it is reached',
      examples: ['share show blog', 'share show blog --json'],
      gives: { keys: keysOf.share },
    }),
  ).action(show);
  addPush(
    addVerb(noun, {
      usage: 'destroy <share>',
      says: 'give a share back; the instance is told',
      examples: ['share destroy blog --tenant-key tenant.key'],
      gives: { keys: ['share', 'name', 'sequence', 'state'] },
    }),
  ).action(destroy);
};
