/**
 * Descriptors that a child of this process would inherit.
 *
 * Node opens everything with CLOEXEC and marks what it inherited, but only up to the first gap above 15 (libuv's
 * `uv_disable_stdio_inheritance`); a descriptor 251 of its parent goes on to every child. A reaper would keep such a
 * pipe or lock open for as long as the workload runs, and a workload without an OCI runtime in between would see it.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { LichenError } from '../protocol/errors.ts';
import { codeOf } from './disk.ts';

const O_CLOEXEC = 0o2000000;

const inheritable = (): number[] => {
  const found: number[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd <= 2) continue;
    try {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1];
      if (flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0) found.push(fd);
    } catch {
      // The descriptor of this very listing is gone by now.
    }
  }
  return found;
};

/** One that is gone by now is as it should be. */
const shut = (fd: number): void => {
  try {
    closeSync(fd);
  } catch (thrown) {
    if (codeOf(thrown) !== 'EBADF') throw thrown;
  }
};

const linkOf = (fd: number): string | null => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
};

/**
 * What a careless parent left open. Only before this process has opened anything: then nobody in here needs them. But for one: Node begins to
 * read further authorities (`NODE_EXTRA_CA_CERTS`) in a thread of its own as soon as it starts, by a C library that opens without CLOEXEC. Were that
 * closed, the thread would later close whatever had got its number. It closes it by itself.
 */
export const closeInherited = ({ NODE_EXTRA_CA_CERTS: authorities = '' }: NodeJS.ProcessEnv): void => {
  const own = existsSync(authorities) ? realpathSync(authorities) : null;
  for (const fd of inheritable()) if (own === null || linkOf(fd) !== own) shut(fd);
};

/**
 * A library in C opened the file for reading and writing without CLOEXEC, and knows it by number: LMDB does so with its data (`mdb_env_get_fd`
 * in lmdb.h). It is opened anew under that number, as Node opens files. Only while nothing else in this process opens any.
 */
export const keepFromChildren = (path: string): void => {
  const file = realpathSync(path);
  for (const fd of inheritable()) if (linkOf(fd) === file) reopen(fd, file);
};

/** The kernel gives the lowest number that is free. */
const reopen = (fd: number, file: string): void => {
  const below: number[] = [];
  let next = openSync('/dev/null', 'r');
  for (; next < fd; next = openSync('/dev/null', 'r')) below.push(next);
  shut(next);
  shut(fd);
  const got = openSync(file, 'r+');
  for (const one of below) shut(one);
  if (got !== fd) throw new LichenError('internal', `${file} has descriptor ${got} and not ${fd}: something else was opened meanwhile`);
};
