/**
 * The first starts of a board that nobody has claimed: small, without the right time, with files on its card of which one is wrong;
 * then once more with a damaged card and without a network.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type HardwareReport, hardwareReport } from '../../runtime/protocol/hardware-report.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import { freePorts } from '../../sim/harness/ports.ts';
import { until } from '../../sim/harness/wait.ts';
import { wordsFor, writeScript } from './guest.ts';
import { putOn, spoilFile, type TestImage, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

const MIB = 1024 ** 2;
/** As small as a card may be: its data can be filled in a moment. */
const CARD_BYTES = 1024 * MIB;
/** Behind the tables, the boot partition and two slots. */
const DATA_AT = (1 + 128 + 256 + 256) * MIB;
const BOOT_LIMIT_MS = 600_000;
const MEMORY_MIB = 256;

/**
 * The product's own start, on a card on which a driver takes longer to be read than a file system to be made: meanwhile it counts as loaded, as
 * busybox goes by what the kernel lists.
 */
const SLOW_DRIVER = `mount -t tmpfs slow /mnt
mkdir /mnt/bin
cat > /mnt/bin/modprobe << 'END'
#!/usr/bin/sh
case "$*" in
  *ext4*)
    mkdir /mnt/loading 2> /dev/null || exit 0
    sleep 15
    ;;
esac
exec /usr/sbin/modprobe "$@"
END
chmod +x /mnt/bin/modprobe
{ cat /usr/lib/lichen/words; echo 'PATH=/mnt/bin:$PATH'; } > /mnt/words
mount --bind /mnt/words /usr/lib/lichen/words
echo /mnt/bin/modprobe > /proc/sys/kernel/modprobe
exec /sbin/linuxrc
`;

let folder: string;
let image: TestImage;
let machine: Machine | null = null;
let board: string;
const at = (name: string): string => join(folder, name);

/** By its own kernel and first root: what firmware does is seen elsewhere. */
const start = (more: Partial<ConstructorParameters<typeof Machine>[0]>): Machine => {
  machine = new Machine({ disks: [{ path: at('card') }], memoryMib: MEMORY_MIB, direct: image, ...more });
  return machine;
};
const firstPartition = (): Buffer => {
  const bytes = Buffer.alloc(128 * MIB);
  const card = openSync(at('card'), 'r');
  readSync(card, bytes, 0, bytes.length, MIB);
  closeSync(card);
  return bytes;
};
const saidOf = (line: string): Record<string, unknown> => JSON.parse(line.slice(line.indexOf('{')));

/** The data partition, taken off the card and put back. */
const takeData = (): void => {
  const block = ['bs=1M', 'conv=notrunc,sparse'];
  execFileSync(
    'dd',
    [`if=${at('card')}`, `of=${at('data')}`, `skip=${DATA_AT / MIB}`, `count=${CARD_BYTES / MIB - DATA_AT / MIB - 1}`, ...block],
    {
      stdio: 'ignore',
    },
  );
  // What is in the journal belongs to what follows.
  expect(spawnSync('/sbin/e2fsck', ['-fy', at('data')]).status, 'mended or in order').toBeLessThanOrEqual(1);
};
const putData = (): void => {
  execFileSync('dd', [`if=${at('data')}`, `of=${at('card')}`, `seek=${DATA_AT / MIB}`, 'bs=1M', 'conv=notrunc'], { stdio: 'ignore' });
};
const debugfs = (...words: string[]): string =>
  execFileSync('/sbin/debugfs', [...words, at('data')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const header = (name: string): number =>
  Number(
    new RegExp(`^${name}: *(\\d+)$`, 'm').exec(
      execFileSync('/sbin/dumpe2fs', ['-h', at('data')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    )?.[1],
  );

/** As a board leaves it whose plug is pulled, whose instances have filled it (what is set aside for root they cannot have), and whose card has lost its beginning. */
const spoilData = (): void => {
  takeData();
  const left = (header('Free blocks') - header('Reserved block count')) * header('Block size');
  // Blocks of blocks take some of it.
  writeFileSync(at('much'), Buffer.alloc(Math.floor(left * 0.995), 1));
  debugfs('-w', '-R', `write ${at('much')} much`);
  expect(header('Free blocks') * header('Block size'), 'it is full').toBeLessThan(
    header('Reserved block count') * header('Block size') + left * 0.01,
  );
  const data = openSync(at('data'), 'r+');
  writeSync(data, Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
  closeSync(data);
  putData();
};

/** A directory of it holds anything: not what is mended without asking. */
const spoilFolder = (): void => {
  takeData();
  const [block] = debugfs('-R', 'blocks /lost+found').trim().split(/\s+/);
  const data = openSync(at('data'), 'r+');
  writeSync(data, Buffer.alloc(header('Block size'), 0x5a), 0, header('Block size'), Number(block) * header('Block size'));
  closeSync(data);
  // As the kernel notes it when it comes upon that.
  debugfs('-w', '-R', 'set_super_value state 2');
  copyFileSync(at('data'), at('asked'));
  expect(spawnSync('/sbin/e2fsck', ['-p', at('asked')]).status, 'asks').toBeGreaterThanOrEqual(4);
  putData();
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-first-'));
  image = await testImage();
  writeCard(image, at('card'), CARD_BYTES);
  for (const [name, text] of Object.entries({
    'user-data': '#cloud-config\nhostname: oak\nuser: {name: pi}\n',
    'network-config': 'version: 2\nwifis: {wlan0: {access-points: {shed: {passw',
    'lichen.json': '{"hostname": "beech", "country": "DE", "wifi": [{"ssid": "shed", "passphrase": "correct horse"}]}',
  })) {
    writeFileSync(at(name), text);
    putOn(at('card'), at(name), name);
  }
  expect(firstPartition().includes('correct horse')).toBe(true);
});
afterEach(() => machine?.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('with 256 MiB and a slow card in 1970 it takes its setup, tells of the file that is wrong, and asks to be paired on its screen and its network', async () => {
  const [page = 0] = await freePorts(1);
  writeScript(at('slow'), SLOW_DRIVER);
  const now = start({
    ...{ shows: [{ port: 80, at: page }], clock: '1970-01-01T00:00:00', direct: { ...image, commandLine: wordsFor(image, '/dev/vdb') } },
    disks: [{ path: at('card') }, { path: at('slow'), readonly: true }],
  });
  await now.line(/imported: hostname, country, wifi/, BOOT_LIMIT_MS);
  await now.line(/of no use on this board: user/, BOOT_LIMIT_MS);
  await now.line(/network-config is not YAML.*mend network-config/, BOOT_LIMIT_MS);
  const unpaired = saidOf(await now.line(/"line":"unpaired"/, BOOT_LIMIT_MS));
  board = String(unpaired.board);
  expect(String(unpaired.at)).toMatch(/^1970/);
  expect(saidOf(await now.line(/"line":"running"/, BOOT_LIMIT_MS))).toMatchObject({ tier: 'full', lacks: [] });

  const report = await until('the page', BOOT_LIMIT_MS, async (): Promise<HardwareReport | null> => {
    const answer = await fetch(`http://127.0.0.1:${page}/report.json`).catch(() => null);
    return answer === null ? null : parse(hardwareReport, await answer.json(), 'report');
  });
  expect(report.running).toMatchObject({
    board,
    code: unpaired.code,
    hostname: 'beech',
    tier: 'full',
    wrong: [expect.stringMatching(/network-config/)],
  });
  expect(report.hardware).toMatchObject({
    addresses: expect.arrayContaining([expect.stringContaining('10.0.2.15')]),
    slot: 'a',
    card: { device: 'vda' },
  });
  expect(report.hardware.memoryMib).toBeLessThanOrEqual(MEMORY_MIB);
  expect(JSON.stringify(report)).not.toContain('horse');
  // Nor is it left anywhere on the partition that any computer reads.
  expect(firstPartition().includes('correct horse')).toBe(false);
  await now.line(/^waits for +this board asks to be paired/, BOOT_LIMIT_MS);
});

test('without a network, its data full and their beginning lost, it is the same board and runs', async () => {
  spoilData();
  const now = start({ alone: true });
  await now.line(/taken from its copy in block/, BOOT_LIMIT_MS);
  expect(saidOf(await now.line(/"line":"unpaired"/, BOOT_LIMIT_MS))).toMatchObject({ board });
  expect(saidOf(await now.line(/"line":"running"/, BOOT_LIMIT_MS))).toMatchObject({ tier: 'full' });
  expect(now.transcript).not.toMatch(/the first start|Kernel panic|imported/);
});

test('whose card has lost a byte of the only system on it, and a folder of its data, runs on with what can be read, and says what it lacks', async () => {
  spoilFolder();
  writeFileSync(at('lichen.json'), '{"hostname": "larch"}');
  putOn(at('card'), at('lichen.json'), 'lichen.json');
  await spoilFile(at('card'), 'a', /\/drivers\/block\/loop\.ko$/);
  const now = start({ alone: true });
  await now.line(/lost some of the root of slot a, and there is no other system on it: write the card anew/, BOOT_LIMIT_MS);
  await now.line(/the data partition is damaged and is being mended/, BOOT_LIMIT_MS);
  // Also at a later start.
  await now.line(/imported: hostname/, BOOT_LIMIT_MS);
  const running = saidOf(await now.line(/"line":"running".*a whole system/, BOOT_LIMIT_MS));
  // That driver limits what instances may fill where project quotas are not to be had: what cannot be tried is not offered.
  expect(running).toMatchObject({ board, tier: 'reduced', lacks: expect.arrayContaining([expect.stringMatching(/write the card anew/)]) });
});
