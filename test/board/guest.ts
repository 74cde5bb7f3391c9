/**
 * Runs test files of this repository inside a board: the shipped kernel, root and first process, with `/data` on a fresh
 * card, and the repository on a second disk.
 *
 * To add one, put `test/board/inside/NAME.test.ts` there: an ordinary vitest file, which `npm run test:board` runs in the
 * board and nothing else runs at all. It is root on cgroup v2 with everything of tier `full`; its directory for temporary
 * files is on the data partition (ext4 with project quotas); the network reaches nothing. What is written into the repository is
 * forgotten. What
 * is in the image is there, besides Debian's bash, perl and strace; busybox knows the rest.
 *
 * `LICHEN_BOARD=inside/NAME npm run test:board -- inside` runs only files whose path matches that, and `LICHEN_SERIAL=1`
 * shows what the board says meanwhile.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TestImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Installed, large, and of no use inside. */
const LEFT_OUT = '^(\\.git|dist|node_modules/(\\.|node-linux|@biomejs|@typescript|typescript|@esbuild|playwright))';

const REPOSITORY = '/mnt/repository';
/** Sectors of a disk: a script that a shell reads off one must fill whole ones. */
const SECTOR = 512;

/** A disk from which the shell reads it that stands in for the first process. */
export const writeScript = (path: string, script: string): void => {
  const text = Buffer.from(script);
  writeFileSync(path, Buffer.concat([text, Buffer.alloc(SECTOR - (text.length % SECTOR), '\n')]));
};

/** What a kernel is told whose first process is the shell that reads such a disk. */
export const wordsFor = (image: TestImage, scriptDisk: string): string => {
  const words = image.commandLine.split(' ').filter((word) => word.startsWith('lichen.'));
  return [...words, `console=ttyS0 panic=-1 loglevel=4 mitigations=off init=/usr/bin/sh -- ${scriptDisk}`].join(' ');
};

/** The product's own first process and start; only what it starts at last is another thing. */
const firstScript = (files: string[], without: RegExp | null): string => `mount -t tmpfs bench /mnt
mkdir ${REPOSITORY} /mnt/bench /mnt/shared /mnt/written /mnt/work
mount -t erofs -o ro /dev/vdb /mnt/shared
mount -t erofs -o ro /dev/vdd /mnt/bench
busybox insmod /mnt/bench/usr/lib/modules/*/kernel/fs/overlayfs/overlay.ko
mount -t overlay -o lowerdir=/mnt/shared,upperdir=/mnt/written,workdir=/mnt/work repository ${REPOSITORY}
mount -t overlay -o lowerdir=/mnt/bench/usr:/usr programs /usr
cat > /mnt/inittab << 'END'
::sysinit:/usr/lib/lichen/boot
::once:/bin/sh /mnt/tests
::shutdown:/usr/lib/lichen/halt
END
cat > /mnt/tests << 'END'
cd ${REPOSITORY}
mkdir -p /data/tmp
export PATH=/usr/sbin:/usr/bin HOME=/data/tmp TMPDIR=/data/tmp NO_COLOR=1 CI=true LICHEN_SLOWNESS=3
# Each life of a runtime would strip and compile the same files again.
export NODE_COMPILE_CACHE=/data/tmp/compiled
# One that ends by itself writes what it compiled; those of the tests are killed.
node test/runtime/adapters/partitions/life.ts warmwarmwarmwarmwarmwarmwarmwarm /data/tmp/warm /usr/bin/node best < /dev/null > /data/tmp/warm.log 2>&1
stty -F /dev/ttyS1 raw
node node_modules/vitest/vitest.mjs run --config test/board/inside/vitest.config.ts \\
  --reporter=verbose --reporter=json --outputFile.json=/data/tmp/report.json ${files.join(' ')} ${without === null ? '' : `-t '^(?!${without.source.replace(/^\^/, '')})'`} > /dev/ttyS0 2>&1
cat /data/tmp/report.json > /dev/ttyS1
poweroff
END
mount --bind /mnt/inittab /etc/inittab
exec /sbin/linuxrc
`;

export interface GuestTest {
  file: string;
  name: string;
  passed: boolean;
  skipped: boolean;
  failure: string;
}

interface Report {
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] | null }[];
  }[];
}

const testsIn = (text: string): GuestTest[] => {
  const report = JSON.parse(text) as Report;
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = name.replace(`${REPOSITORY}/`, '');
    const none = { file, name: `${file} is loaded`, passed: status === 'passed', skipped: false, failure: message };
    if (assertionResults.length === 0) return [none];
    return assertionResults.map((one) => ({
      file,
      name: one.fullName,
      passed: one.status === 'passed',
      skipped: one.status === 'skipped' || one.status === 'pending',
      failure: (one.failureMessages ?? []).join('\n'),
    }));
  });
};

/** A hang, also on a machine that does other things at the same time. */
const RUN_LIMIT_MS = 40 * 60_000;

export interface GuestRun {
  tests: GuestTest[];
  /** Everything that the board said meanwhile. */
  transcript: string;
}

/** Tests whose name matches `without` are not run, and not told of. */
export const runInside = async (image: TestImage, files: string[], without: RegExp | null): Promise<GuestRun> => {
  const folder = mkdtempSync(join(tmpdir(), 'lichen-guest-'));
  const [card, bench, script] = [join(folder, 'card'), join(folder, 'bench'), join(folder, 'script')];
  writeCard(image, card);
  execFileSync('mkfs.erofs', ['--quiet', '-x-1', `--exclude-regex=${LEFT_OUT}`, bench, root]);
  writeScript(script, firstScript(files, without));
  const disks = [
    { path: card },
    { path: bench, readonly: true },
    { path: script, readonly: true },
    { path: image.benchPath, readonly: true },
  ];
  const machine = new Machine({ disks, memoryMib: 2048, direct: { ...image, commandLine: wordsFor(image, '/dev/vdc') } });
  try {
    await machine.ended(RUN_LIMIT_MS);
    if (machine.result.trim() === '') throw new Error(`the board told nothing; it said:\n${machine.transcript}`);
    const tests = testsIn(machine.result).filter(({ name }) => without?.test(name) !== true);
    return { tests, transcript: machine.transcript };
  } finally {
    await machine.close();
    rmSync(folder, { recursive: true, force: true });
  }
};
