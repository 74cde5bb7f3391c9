/**
 * Descriptors that Node did not open itself and that a child would inherit.
 *
 * Node opens everything with CLOEXEC and marks what it inherited, but only up to the first gap above 15 (libuv's
 * `uv_disable_stdio_inheritance`); a descriptor 251 of its parent goes on to every child. A reaper would keep such a
 * pipe or lock open for as long as the workload runs, and a workload without an OCI runtime in between would see it.
 */
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;
const PERL = '/usr/bin/perl';
/** Opening "&=n" takes descriptor n over, so that close closes it; the POSIX module would say it plainer and cost 15 ms. */
const CLOSE_THEN_EXEC =
  'opendir(my $d, "/proc/self/fd"); my @f = grep { /^\\d+$/ && $_ > $ARGV[0] } readdir $d; closedir $d;' +
  ' for (@f) { open(my $h, "<&=", $_) and close $h } shift @ARGV; exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\\n"';

export const inheritedDescriptors = (): number[] => {
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

export const canCloseStrays = (): boolean => {
  try {
    accessSync(PERL, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/**
 * The command, run so that it inherits nothing above `keep`. The shell of Debian cannot name a descriptor above 9, so
 * perl-base (Essential there) closes them; a board's image has neither perl nor strays and pays nothing.
 */
export const withoutStrays = (command: string[], keep: number): string[] =>
  inheritedDescriptors().length > 0 && canCloseStrays() ? [PERL, '-e', CLOSE_THEN_EXEC, String(keep), ...command] : command;
