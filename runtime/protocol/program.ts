/** The program of a release: whether it is there, may be run, and is for the processor that the release says. */
import type { Bytes } from './bytes.ts';
import { refuse } from './errors.ts';
import { imageFiles, runtimeFiles } from './image.ts';
import { type Entry, HOOKS, type Manifest } from './nouns/release.ts';
import { resolveLink } from './path.ts';

/** Where boards bind their own Node. */
export const NODE_INSIDE = '/usr/bin/node';

type File = Extract<Entry, { kind: 'file' }>;
interface Named {
  kind: Entry['kind'];
  path: string;
}

/** As many as the kernel follows, path_resolution(7). */
const HOPS = 40;

/** What a path inside a release comes to when the links on its way are followed; null when there is nothing. */
export const follow = <Item extends Named & ({ kind: 'link'; target: string } | { kind: Exclude<Entry['kind'], 'link'> })>(
  items: Item[],
  path: string,
): Item | null => {
  const named = new Map(items.filter(({ kind }) => kind !== 'more').map((item) => [item.path, item]));
  let at = path;
  for (let hops = 0; hops < HOPS; hops++) {
    const segments = at.split('/');
    const depth = segments.findIndex((_, end) => named.get(segments.slice(0, end + 1).join('/'))?.kind === 'link');
    if (depth < 0) return named.get(at) ?? null;
    const link = named.get(segments.slice(0, depth + 1).join('/'));
    if (link?.kind !== 'link') return null;
    at = [resolveLink(link.path, link.target), ...segments.slice(depth + 1)].filter((part) => part !== '').join('/');
  }
  return null;
};

/** What of a release is started: its program, and its hooks. */
const startedBy = ({ args, data }: Pick<Manifest, 'args' | 'data'>): string[] =>
  [args, ...HOOKS.flatMap((hook) => (data?.[hook] === undefined ? [] : [data[hook].args]))].map(([program = '']) => program);

/** All that are started, but for what the board brings. Errors: `bad-release`. */
export const programsOf = (manifest: Pick<Manifest, 'args' | 'data' | 'engine' | 'image'>, entries: Entry[]): File[] => {
  const { engine, image } = manifest;
  if (image !== undefined) {
    if (image.part === 'runtime') runtimeFiles(entries);
    else imageFiles(entries);
    return [];
  }
  return [...new Set(startedBy(manifest))].flatMap((program) => fileOf(program, engine, entries) ?? []);
};

const fileOf = (program: string, engine: Manifest['engine'], entries: Entry[]): File | null => {
  // What a parameter names is known on the board only.
  if (program.includes('{{') || (engine === 'node' && program === NODE_INSIDE)) return null;
  const found = follow(entries, program.slice(1));
  if (found === null) return refuse('bad-release', `the release has no ${program}`);
  if (found.kind !== 'file') return refuse('bad-release', `${program} is a directory`);
  return found.executable ? found : refuse('bad-release', `${program} is not executable`);
};

const ELF_MACHINES: Record<number, 'x64' | 'arm64'> = { 62: 'x64', 183: 'arm64' };
const startsWith = (bytes: Bytes, text: string): boolean => [...text].every((letter, at) => bytes[at] === letter.charCodeAt(0));

/** Up to here a program says what it is (ELF-64: e_machine ends at 20). */
export const HEAD_BYTES = 20;

/** Errors: `bad-release`. `head`: at least the first 20 bytes, if it has as many. */
export const checkProgramHead = (program: string, head: Bytes, arch: Manifest['arch']): void => {
  if (startsWith(head, '#!')) return;
  if (!startsWith(head, '\u007fELF')) return refuse('bad-release', `${program} is neither a script that begins with #! nor an ELF program`);
  const is64 = head[4] === 2;
  const built = ELF_MACHINES[(head[18] ?? 0) + 256 * (head[19] ?? 0)];
  if (!is64 || built === undefined) return refuse('bad-release', `${program} is built for a processor that no board has`);
  if (built !== arch) refuse('bad-release', `${program} is built for ${built}, and is to run on ${arch}`);
};
