/** A release in words: who signed it, what it may do, what is in it. Whoever wrote that is a stranger: nothing of it reaches a terminal as a command. */
import { hex } from '../../runtime/protocol/bytes.ts';
import { HOOKS, type Hook, type HookName } from '../../runtime/protocol/nouns/release.ts';
import { plural, printableLine } from '../../runtime/protocol/printable.ts';
import { brief } from './output.ts';
import type { FileRow, Inspection } from './release-inspect.ts';

const KEY: Record<Inspection['keyIs'], string> = {
  listed: 'which the publisher lists',
  revoked: 'WHICH THE PUBLISHER HAS REVOKED',
  unlisted: 'WHICH THE PUBLISHER DOES NOT LIST',
  unknown: 'whose it is was not asked (--publisher)',
};

const fileText = ({ path, kind, bytes, executable, is }: FileRow): string => {
  if (kind === 'dir') return `  ${path}/`;
  return kind === 'link' ? `  ${path} -> ${is}` : `  ${path}  ${bytes} bytes${executable ? ', executable' : ''}  ${brief(is)}`;
};

type Manifest = Inspection['manifest'];

const words = (of: object): string =>
  Object.entries(of)
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join(' ') : String(value)}`)
    .join(' ');

const labelled = (label: string, text: string): string[] => (text === '' ? [] : [`${label} ${text}`]);

const sharesText = ({ most, parameters, parameterSchema, connectionSchema }: NonNullable<Manifest['shares']>): string[] => [
  `serves up to ${most} shares`,
  ...labelled('each share has parameters', words(parameters)),
  ...labelled('each share has parameters as in', parameterSchema ?? ''),
  ...labelled('each share is told what is as in', connectionSchema ?? ''),
];

const networkText = ({ outbound, dns, links, publish }: NonNullable<Manifest['network']>): string[] => [
  ...outbound.map(({ to, port, protocol }) => `connects to ${to} port ${port}/${protocol}`),
  ...(dns ? ["asks the board's resolvers"] : []),
  ...links.map(({ name, port, protocol }) => `reaches the tenant's ${name} at port ${port}/${protocol}`),
  ...publish.map(({ name, port, protocol }) => `may be published as ${name}: port ${port}/${protocol}`),
];

const promiseText = ({ name, probe: { kind, ...how }, intervalMs, timeoutMs, graceMs }: Manifest['promises'][number]): string =>
  `promises ${name} by ${kind} ${words(how)}, every ${intervalMs} ms, each time within ${timeoutMs} ms, and within ${graceMs} ms of a start`;

const DATA = {
  keep: 'an update to it that goes back leaves /data as it is',
  snapshot: 'an update to it that goes back finds /data as it was',
};

const HOOK: Record<HookName, string> = {
  before: 'before another release takes its place, its /data are put in order by',
  after: 'before it begins on /data that another release left, they are put in order by',
};

const hookText = (hook: HookName, terms: Hook | undefined): string[] =>
  terms === undefined ? [] : [`${HOOK[hook]} ${terms.args.join(' ')}, within ${terms.withinMs} ms`];

/** Every key of a manifest, in the order in which they are read: what is signed is shown, or told by the head of the text. */
const ROWS: { [Key in keyof Required<Manifest>]: (manifest: Manifest) => string[] } = {
  ...{ v: () => [], recipe: () => [], label: () => [], sequence: () => [], publisher: () => [] },
  image: ({ image }) => (image === undefined ? [] : [`${image.part ?? 'system'} of boards ${image.board}`]),
  arch: ({ arch }) => [`runs on ${arch === 'any' ? 'any processor' : arch}`],
  demands: ({ demands }) => [`tier ${demands} or better`],
  engine: ({ engine }) => (engine === 'node' ? ["with the board's Node"] : []),
  network: ({ network }) => (network === undefined ? [] : networkText(network)),
  devices: ({ devices = [] }) => labelled('is given', devices.join(', ')),
  args: ({ args }) => [`program ${args.join(' ')}`],
  limits: ({ limits }) => [`limits ${words(limits)}`],
  env: ({ env }) => labelled('environment', words(env)),
  parameters: ({ parameters }) => labelled('parameters', words(parameters)),
  parameterSchema: ({ parameterSchema = '' }) => labelled('parameters as in', parameterSchema),
  connectionSchema: ({ connectionSchema = '' }) => labelled('publishes what is as in', connectionSchema),
  shares: ({ shares }) => (shares === undefined ? [] : sharesText(shares)),
  reload: ({ reload = '' }) => labelled('is told of other parameters by', reload),
  stop: ({ stop }) => (stop === undefined ? [] : [`is asked to end by ${stop.signal}, and killed ${stop.graceMs} ms later`]),
  holdMs: ({ holdMs }) => (holdMs === undefined ? [] : [`may hold off being replaced for ${holdMs} ms`]),
  data: ({ data }) => (data === undefined ? [] : [DATA[data.onUpdate], ...HOOKS.flatMap((hook) => hookText(hook, data[hook]))]),
  promises: ({ promises }) => promises.map(promiseText),
  sbom: ({ sbom }) => (sbom === undefined ? [] : [`its bill of materials is ${hex(sbom)}`]),
  ...{ pages: () => [], entries: () => [], bytes: () => [] },
};

/** Of what goes into a slot nothing is started, and nothing is held to a limit. */
const OF_PROGRAMS: ReadonlySet<string> = new Set(['args', 'limits', 'demands', 'engine', 'arch']);

const manifestText = (manifest: Manifest): string[] =>
  Object.entries(ROWS).flatMap(([key, row]) => (manifest.image !== undefined && OF_PROGRAMS.has(key) ? [] : row(manifest)));

const sbomText = (sbom: Inspection['sbom']): string[] => {
  if (sbom === null) return [];
  if (sbom.is === 'absent') return ['what it is made of was signed, and is not beside it'];
  if (sbom.is === 'another') return ['WHAT IS SAID TO BE ITS BILL OF MATERIALS IS NOT THE ONE THAT WAS SIGNED'];
  return [`made of ${sbom.packages.length === 0 ? 'no packages of others' : sbom.packages.join(', ')}`];
};

export const inspectionText = (found: Inspection): string => {
  const { manifest, missing, wrong, update } = found;
  return [
    `${manifest.recipe} ${manifest.label}, sequence ${manifest.sequence}, release ${found.release}`,
    `publisher ${manifest.publisher}, signed by ${found.key}, ${KEY[found.keyIs]}`,
    ...manifestText(manifest),
    `${manifest.bytes} bytes in ${plural(manifest.entries, 'entry', 'entries')}; ${plural(found.chunks, 'chunk')} and ${plural(found.pages, 'page')}, ${found.wireBytes} bytes on the wire`,
    ...(update === null
      ? []
      : [
          `a board with the other release fetches ${plural(update.chunks, 'chunk')} and ${plural(update.pages, 'page')}, ${update.wireBytes} bytes`,
        ]),
    ...sbomText(found.sbom),
    missing.length === 0 ? 'it is whole' : `${missing.length} PIECES ARE ABSENT OR TORN: ${missing.slice(0, 4).map(brief).join(', ')}`,
    ...wrong.map((path) => `${path} IS NOT WHAT ITS CHUNKS MAKE; no board would run this`),
    ...found.files.map(fileText),
  ]
    .map(printableLine)
    .join('\n');
};
