/** What a board lacks of a root in which only the runtime is another, in chunks, packed, with all that is said on its link to get them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { packRoot } from '../../../firmware-images/image.ts';
import type { Tree } from '../../../firmware-images/tree.ts';
import { updateBytes } from '../delivery/ours.ts';

const RUNTIME = 'usr/lib/lichen/lichen-runtime.mjs';

/** A change as one of an ordinary day: another version, and some lines in several places. */
const changed = (runtime: string): string => {
  const lines = runtime.replaceAll('lichen-runtime/0.1.0', 'lichen-runtime/0.1.1').split('\n');
  for (const part of [0.2, 0.4, 0.6, 0.8]) {
    const at = Math.floor(lines.length * part);
    // Comments, wherever they come to stand: what is measured is bytes.
    lines.splice(at, 0, ...Array.from({ length: 10 }, (_, line) => `// ${part} ${line}: what was not there before`));
  }
  return lines.join('\n');
};

/** As the image gives it room (firmware-images/root.ts). */
const sameRoom = (text: string, bytes: number): Buffer => {
  const grown = Buffer.from(text.trimEnd());
  return Buffer.concat([grown, Buffer.alloc(Math.max(0, bytes - grown.length), '\n')]);
};

export const runtimeDelta = async (root: Tree, home: string): Promise<number> => {
  const scratch = join(home, 'delta');
  const entry = root.get(RUNTIME);
  if (entry?.kind !== 'file' || !('bytes' in entry)) throw new Error(`the root has no ${RUNTIME}`);
  const other: Tree = new Map(root);
  other.set(RUNTIME, { ...entry, bytes: sameRoom(changed(Buffer.from(entry.bytes).toString('utf8')), entry.bytes.length) });
  for (const [name, tree] of [
    ['old', root],
    ['new', other],
  ] as const) {
    mkdirSync(join(scratch, name), { recursive: true });
    await packRoot(tree, 'pi', join(scratch, name, 'root'));
  }
  return (await updateBytes({ name: 'root', old: join(scratch, 'old'), new: join(scratch, 'new') }, join(scratch, 'made'))).bytes;
};
