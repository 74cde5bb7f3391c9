/** A release in words: who signed it, what it may do, what is in it. */
import { plural } from '../../runtime/protocol/printable.ts';
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

const wishes = ({ network, devices = [], engine, demands, arch }: Inspection['manifest']): string[] => [
  `runs on ${arch === 'any' ? 'any processor' : arch}, tier ${demands} or better${engine === 'node' ? ", with the board's Node" : ''}`,
  ...(network?.outbound ?? []).map(({ to, port, protocol }) => `connects to ${to} port ${port}/${protocol}`),
  ...(network?.dns === true ? ["asks the board's resolvers"] : []),
  ...(network?.links ?? []).map(({ name, port, protocol }) => `reaches the tenant's ${name} at port ${port}/${protocol}`),
  ...(network?.publish ?? []).map(({ name, port, protocol }) => `may be published as ${name}: port ${port}/${protocol}`),
  ...(devices.length === 0 ? [] : [`is given ${devices.join(', ')}`]),
];

const words = (of: Record<string, unknown>): string =>
  Object.entries(of)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ');

const partitionText = (manifest: Inspection['manifest']): string[] => [
  ...wishes(manifest),
  `program ${manifest.args.join(' ')}`,
  `limits ${words(manifest.limits)}`,
  ...(manifest.data?.onUpdate === 'snapshot' ? ['an update to it that goes back finds /data as it was'] : []),
];

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
    ...(manifest.image === undefined ? partitionText(manifest) : [`${manifest.image.part ?? 'system'} of boards ${manifest.image.board}`]),
    ...(Object.keys(manifest.env).length === 0 ? [] : [`environment ${words(manifest.env)}`]),
    ...(Object.keys(manifest.parameters).length === 0 ? [] : [`parameters ${words(manifest.parameters)}`]),
    ...manifest.promises.map(({ name, probe, graceMs }) => `promises ${name} by ${probe.kind}, within ${graceMs} ms of a start`),
    `${manifest.bytes} bytes in ${plural(found.files.length, 'entry', 'entries')}; ${plural(found.chunks, 'chunk')} and ${plural(found.pages, 'page')}, ${found.wireBytes} bytes on the wire`,
    ...(update === null
      ? []
      : [
          `a board with the other release fetches ${plural(update.chunks, 'chunk')} and ${plural(update.pages, 'page')}, ${update.wireBytes} bytes`,
        ]),
    ...sbomText(found.sbom),
    missing.length === 0 ? 'it is whole' : `${missing.length} PIECES ARE ABSENT OR TORN: ${missing.slice(0, 4).map(brief).join(', ')}`,
    ...wrong.map((path) => `${path} IS NOT WHAT ITS CHUNKS MAKE; no board would run this`),
    ...found.files.map(fileText),
  ].join('\n');
};
