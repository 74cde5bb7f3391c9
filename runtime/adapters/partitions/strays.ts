/**
 * Descriptors that Node did not open itself and that a child would inherit.
 *
 * Node opens everything with CLOEXEC and marks what it inherited, but only up to the first gap above 15 (libuv's
 * `uv_disable_stdio_inheritance`); a descriptor 251 of its parent goes on to every child. A reaper would keep such a
 * pipe or lock open for as long as the workload runs, and a workload without an OCI runtime in between would see it.
 */
import { closeSync, readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;

const inherited = (): number[] => {
  const strays: number[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd <= 2) continue;
    try {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1];
      if (flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0) strays.push(fd);
    } catch {
      // The descriptor of this very listing is gone by now.
    }
  }
  return strays;
};

/** Once, before the first child: nobody in here knows of them, so nobody in here needs them. */
export const closeStrays = (): void => {
  for (const fd of inherited()) closeSync(fd);
};
