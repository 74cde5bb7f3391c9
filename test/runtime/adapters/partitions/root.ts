/** A small root to run things in: busybox, and when asked for perl, which can call the kernel by number. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { interpreterOf, librariesIn } from '../../../../runtime/adapters/partitions/node-engine.ts';
import { must } from '../../../../runtime/adapters/partitions/run.ts';

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'];
const PERL = '/usr/bin/perl';

export const busyboxPath = (): string | null => BUSYBOX.find((path) => existsSync(path) && interpreterOf(path) === null) ?? null;

/** Directories end up 0555, as a planted release has them. */
export const plantRoot = async (path: string, withPerl: boolean): Promise<void> => {
  const copies = new Map([['/bin/busybox', busyboxPath() ?? '']]);
  if (withPerl) {
    const interpreter = interpreterOf(PERL) ?? '';
    for (const library of librariesIn(await must(interpreter, ['--list', PERL]))) copies.set(library, library);
    copies.set(interpreter, interpreter).set(PERL, PERL);
  }
  for (const [target, source] of copies) {
    mkdirSync(dirname(`${path}${target}`), { recursive: true });
    copyFileSync(realpathSync(source), `${path}${target}`);
    chmodSync(`${path}${target}`, 0o555);
  }
  for (const target of copies.keys())
    for (let at = dirname(target); ; at = dirname(at)) {
      chmodSync(`${path}${at}`, 0o555);
      if (at === '/') break;
    }
};
