/** What an image is made of, for whoever must know: every package with its source and its licence. */
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { LockedPackage } from '../lock.ts';

export interface Material {
  name: string;
  version: string;
  /** Of the kind `pkg:deb/...` (package URL). */
  purl: string;
  sha256: string | null;
  /** Names as its own file of copyrights has them. */
  licences: string[];
  /** Where what it was made from is. */
  source: string;
  /** The whole text; nothing where somebody else's has it. */
  text: string;
}

/** Debian's machine-readable form (DEP-5); older files are prose. */
const licencesIn = (copyright: string): string[] =>
  /^Format:/m.test(copyright) ? [...new Set([...copyright.matchAll(/^License: *(\S.*)$/gm)].map(([, name = '']) => name.trim()))] : [];

const docOf = (tree: string, name: string): string => join(tree, 'usr/share/doc', name);

/** Packages of one source may keep one file of copyrights, in the folder that the others link to. */
export const copyrightHolder = (name: string, tree: string): string => {
  const folder = docOf(tree, name);
  const linked = lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  return linked ? basename(readlinkSync(folder)) : name;
};

const debianMaterial = ({ name, version, arch, sha256 }: LockedPackage, trees: Map<string, string>): Material => {
  const holder = copyrightHolder(name, trees.get(name) ?? '');
  const copyright = join(docOf(trees.get(holder) ?? '', holder), 'copyright');
  const text = existsSync(copyright) ? readFileSync(copyright, 'utf8') : '';
  return {
    ...{ name, version, sha256, licences: licencesIn(text), text },
    purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}`,
    source: `https://packages.debian.org/trixie/${name}`,
  };
};

/** Packages of npm, as the bundler names them above what it took of each. */
const bundledIn = (bundles: Uint8Array[]): string[] => {
  const paths = Buffer.concat(bundles)
    .toString('utf8')
    .matchAll(/^\s*\/\/ node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\//gm);
  return [...new Set([...paths].map(([, name = '']) => name))].sort();
};

const npmMaterial = (name: string, folder: string, arch?: string): Material => {
  const stated: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const word = (key: string): string => {
    const value: unknown = typeof stated === 'object' && stated !== null ? Reflect.get(stated, key) : undefined;
    return typeof value === 'string' ? value : '';
  };
  const path = ['LICENSE', 'LICENSE.md', 'LICENCE', 'license', 'LICENSE.txt']
    .map((file) => join(folder, file))
    .find((file) => existsSync(file));
  return {
    ...{ name, version: word('version'), sha256: null, licences: [word('license')].filter(Boolean) },
    purl: `pkg:npm/${name.replace('@', '%40')}@${word('version')}${arch === undefined ? '' : `?arch=${arch}`}`,
    source: `https://www.npmjs.com/package/${name}/v/${word('version')}`,
    text: path === undefined ? '' : readFileSync(path, 'utf8'),
  };
};

export interface Sources {
  packages: LockedPackage[];
  /** Unpacked packages by name. */
  trees: Map<string, string>;
  /** Programs of ours. */
  bundles: Uint8Array[];
  /** Folder of an npm package. */
  npmFolder(name: string): string;
  /** Node's own package, and its folder. */
  node: { name: string; folder: string };
}

export const materialsOf = ({ packages, trees, bundles, npmFolder, node }: Sources): Material[] => [
  ...packages.map((one) => debianMaterial(one, trees)),
  npmMaterial(node.name, node.folder),
  ...bundledIn(bundles).map((name) => npmMaterial(name, npmFolder(name))),
];

/** CycloneDX 1.6. Neither a date nor a number of its own: the same image has the same bill. */
export const billOf = (board: string, sha256: string, materials: Material[]): string => {
  const component = ({ name, version, purl, sha256: own, licences, source }: Material): object => ({
    ...{ type: 'library', 'bom-ref': purl, name, version, purl },
    ...(own === null ? {} : { hashes: [{ alg: 'SHA-256', content: own }] }),
    ...(licences.length === 0 ? {} : { licenses: licences.map((licence) => ({ license: { name: licence } })) }),
    externalReferences: [{ type: 'source-distribution', url: source }],
  });
  const image = { type: 'firmware', 'bom-ref': 'image', name: `lichen-${board}`, hashes: [{ alg: 'SHA-256', content: sha256 }] };
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: image },
    components: materials.map(component),
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
};

const HEAD = `What this image is made of, and under which licences.

Lichen itself: Apache-2.0. The sources of every Debian package, of the kernel (GPL-2.0 with its system call note) as of all others, are
those that Debian keeps for the version that is named: "apt-get source NAME=VERSION" on any Debian with deb-src lines, or
https://sources.debian.org. Nothing was changed in any of them, but that a Pi's tables say where its card is; programs lost their symbols, and not all of each package is in the image.
`;

/** For people: a table first, then every text as its authors wrote it. */
export const licencesOf = (materials: Material[]): string => {
  const rows = materials.map(({ name, version, licences }) => `${name} ${version}: ${licences.join(', ') || 'see below'}`);
  const texts = materials.filter(({ text }) => text !== '').map(({ name, text }) => `\n==== ${name}\n\n${text.trimEnd()}\n`);
  return `${HEAD}\n${rows.join('\n')}\n${texts.join('')}`;
};
