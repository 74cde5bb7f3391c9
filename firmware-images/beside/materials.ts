/** What an image is made of, for whoever must know: every package with its source and its licence. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Carried } from '../bundle.ts';
import { isKernel } from '../kernel.ts';
import type { LockedPackage } from '../lock.ts';

export interface Material {
  name: string;
  version: string;
  /** Of the kind `pkg:deb/...` (package URL). */
  purl: string;
  sha256: string | null;
  /** Names as its own file of copyrights has them. */
  licences: string[];
  /** Where what it was made from is: for now, and what stays when a mirror has dropped that version. */
  sources: string[];
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

/** The packages of a kernel are made from several sources, of which those for signatures hold none of it: it is all in `linux`, of the same version. */
const sourcesOf = (name: string, version: string): string[] => {
  const path = `linux/${encodeURIComponent(version)}/`;
  return isKernel({ name })
    ? [`https://sources.debian.org/src/${path}`, `https://snapshot.debian.org/package/${path}`]
    : [`https://packages.debian.org/trixie/${name}`, `https://snapshot.debian.org/binary/${encodeURIComponent(name)}/`];
};

const debianMaterial = ({ name, version, arch, sha256 }: LockedPackage, trees: Map<string, string>): Material => {
  const holder = copyrightHolder(name, trees.get(name) ?? '');
  const copyright = join(docOf(trees.get(holder) ?? '', holder), 'copyright');
  const text = existsSync(copyright) ? readFileSync(copyright, 'utf8') : '';
  return {
    ...{ name, version, sha256, licences: licencesIn(text), text },
    purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}`,
    sources: sourcesOf(name, version),
  };
};

const LICENCE = /^(licen[cs]e|copying)(\.(md|txt))?$/i;

/** The addon of lmdb brings no text: it is made of what lies in lmdb's own package, two libraries in C among them. */
const ADDON = /^@lmdb\/lmdb-linux-/;
const ADDON_TEXTS = ['LICENSE', 'dependencies/lmdb/libraries/liblmdb/COPYRIGHT', 'dependencies/lmdb/libraries/liblmdb/LICENSE'];
const LZ4_TEXT = 'dependencies/lz4/lib/LICENSE';
const ADDON_LICENCES = ['OLDAP-2.8', 'BSD-2-Clause'];

const readIn = (folder: string, names: string[]): string[] =>
  names.map((name) => join(folder, name)).flatMap((path) => (existsSync(path) ? [readFileSync(path, 'utf8')] : []));

const npmMaterial = ({ name, folder }: Carried, all: Carried[]): Material => {
  const stated: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const word = (key: string): string => {
    const value: unknown = typeof stated === 'object' && stated !== null ? Reflect.get(stated, key) : undefined;
    return typeof value === 'string' ? value : '';
  };
  const lmdb = ADDON.test(name) ? all.find((one) => one.name === 'lmdb') : undefined;
  const texts =
    lmdb === undefined
      ? readIn(
          folder,
          readdirSync(folder).filter((file) => LICENCE.test(file)),
        )
      : readIn(lmdb.folder, [...ADDON_TEXTS, LZ4_TEXT]);
  return {
    ...{ name, version: word('version'), sha256: null },
    licences: [word('license'), ...(lmdb === undefined ? [] : ADDON_LICENCES)].filter(Boolean),
    purl: `pkg:npm/${name.replace('@', '%40')}@${word('version')}`,
    sources: [`https://www.npmjs.com/package/${name}/v/${word('version')}`],
    text: texts.join('\n'),
  };
};

export interface Sources {
  packages: LockedPackage[];
  /** Unpacked packages by name. */
  trees: Map<string, string>;
  /** Node's own, and what our programs carry. */
  npm: Carried[];
}

export const materialsOf = ({ packages, trees, npm }: Sources): Material[] => [
  ...packages.map((one) => debianMaterial(one, trees)),
  ...npm.map((one) => npmMaterial(one, npm)),
];

/** CycloneDX 1.6. Neither a date nor a number of its own: the same image has the same bill. */
export const billOf = (board: string, sha256: string, materials: Material[]): string => {
  const component = ({ name, version, purl, sha256: own, licences, sources }: Material): object => ({
    ...{ type: 'library', 'bom-ref': purl, name, version, purl },
    ...(own === null ? {} : { hashes: [{ alg: 'SHA-256', content: own }] }),
    ...(licences.length === 0 ? {} : { licenses: licences.map((licence) => ({ license: { name: licence } })) }),
    externalReferences: sources.map((url) => ({ type: 'source-distribution', url })),
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

Lichen itself: Apache-2.0. The sources of every Debian package are those that Debian keeps for the version that is named:
"apt-get source NAME=VERSION" on any Debian with deb-src lines of the suite that has it (a Pi's kernel: trixie-backports), or
https://sources.debian.org; when Debian has a newer one, https://snapshot.debian.org keeps the older. Those of the kernel (GPL-2.0 with its
system call note) are in "apt-get source linux=VERSION" for all packages whose names begin with linux-: what apt-get gives for the name
linux-image-... itself holds signatures alone.
Nothing was changed in any of them, but that a Pi's tables say where its card is; programs lost their symbols, and not all of each package is in the image.
`;

/** For people: a table first, then every text as its authors wrote it. */
export const licencesOf = (materials: Material[]): string => {
  const rows = materials.map(({ name, version, licences }) => `${name} ${version}: ${licences.join(', ') || 'see below'}`);
  const texts = materials.filter(({ text }) => text !== '').map(({ name, text }) => `\n==== ${name}\n\n${text.trimEnd()}\n`);
  return `${HEAD}\n${rows.join('\n')}\n${texts.join('')}`;
};
