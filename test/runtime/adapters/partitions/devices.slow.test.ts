/** Devices inside partitions: harmless numbers under names of buses, in a directory that stands for the board's /dev. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeviceRoots } from '../../../../runtime/adapters/partitions/devices.ts';
import { onCrun, withBench } from './on-crun.ts';

/** Numbers that do no harm to anybody: those of /dev/full and /dev/zero. */
const FULL = ['1', '7'];
const ZERO = ['1', '5'];

const rootsIn = (directory: string): DeviceRoots => {
  const roots = { dev: join(directory, 'dev'), sys: join(directory, 'sys') };
  const usb = join(roots.sys, 'bus/usb/devices/1-1');
  for (const path of [join(roots.dev, 'bus/usb/001'), usb]) mkdirSync(path, { recursive: true });
  for (const [name, numbers] of [
    ['gpiochip0', FULL],
    ['i2c-1', ZERO],
    ['ttyAMA0', FULL],
    ['bus/usb/001/004', FULL],
  ] as const)
    execFileSync('busybox', ['mknod', join(roots.dev, name), 'c', ...numbers]);
  symlinkSync('ttyAMA0', join(roots.dev, 'serial0'));
  for (const [name, text] of [
    ['idVendor', '0403'],
    ['idProduct', '6001'],
    ['busnum', '1'],
    ['devnum', '4'],
  ] as const)
    writeFileSync(join(usb, name), `${text}\n`);
  return roots;
};

const suite = (): void => {
  const current = withBench({ devices: rootsIn });

  const start = async (devices: string[]): Promise<string> => {
    const partition = current().partition();
    const spec = current().spec(partition, 'exec busybox sleep 1000', { devices });
    await current().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    return partition;
  };
  const says = async (partition: string, script: string): Promise<string> =>
    (await current().inside(partition, ['/bin/busybox', 'sh', '-c', script])).detail;

  it('offers the kinds that the board has, and no others', () => {
    const { grants } = current().life.enforcement;
    expect(grants).toEqual(expect.arrayContaining(['gpio', 'i2c', 'serial', 'usb:0403:6001']));
    for (const kind of ['spi', 'camera']) expect(grants).not.toContain(kind);
  });

  it('gives the nodes of what was granted, to be opened, and no node of anything else', async () => {
    const partition = await start(['gpio', 'usb:0403:6001']);
    expect(await says(partition, 'busybox ls /dev/gpiochip0 /dev/bus/usb/001/004 /dev/i2c-1 2>&1; true')).toMatch(
      /i2c-1: No such file[\s\S]*\/dev\/bus\/usb\/001\/004\n\/dev\/gpiochip0/,
    );
    // /dev/full reads as zeros and takes no byte: the driver answered, so the device was opened.
    expect(await says(partition, 'busybox head -c 3 /dev/gpiochip0 | busybox wc -c')).toContain('3');
    expect(await says(partition, '(echo x > /dev/gpiochip0) 2>&1; true')).toContain('No space left');
    await current().end(partition);
  });

  it('gives none without a grant, and none can be made', async () => {
    const partition = await start([]);
    expect(await says(partition, 'busybox ls /dev')).not.toMatch(/gpiochip|i2c|tty[A-Z]|bus/);
    expect(await says(partition, 'busybox mknod /tmp/x c 1 7 2>&1; busybox mknod /data/x c 1 7 2>&1; true')).toMatch(
      /not permitted[\s\S]*not permitted/,
    );
    await current().end(partition);
  });

  it('has a rule beside the node: what gets into /dev in another way is not opened [network-12]', async () => {
    const [granted, other] = [await start(['gpio']), await start(['serial'])];
    // By root of the board, with a capability that nothing inside has; only the device controller is left to refuse.
    const { first } = JSON.parse(readFileSync(join(current().dataPath, 'partitions', other, 'state.json'), 'utf8'));
    const uid = String(statSync(current().data(other)).uid);
    for (const [name, numbers] of [
      ['smuggled', ['10', '183']],
      ['again', ['10', '229']],
    ] as const) {
      execFileSync('nsenter', ['-t', String(first.pid), '-m', '/bin/busybox', 'mknod', '-m', '666', `/dev/${name}`, 'c', ...numbers]);
      execFileSync('nsenter', ['-t', String(first.pid), '-m', '/bin/busybox', 'chown', uid, `/dev/${name}`]);
      expect(await says(other, `(busybox head -c 1 /dev/${name} > /dev/null) 2>&1; true`)).toContain('Operation not permitted');
    }
    expect(await says(granted, 'busybox head -c 1 /dev/gpiochip0 | busybox wc -c')).toContain('1');
    for (const partition of [granted, other]) await current().end(partition);
  });

  it('follows the names that programs know, and refuses what was unplugged', async () => {
    const partition = await start(['serial']);
    expect(await says(partition, 'busybox ls /dev')).toMatch(/serial0[\s\S]*ttyAMA0/);
    await current().end(partition);
    rmSync(join(current().directory, 'dev/bus/usb/001/004'));
    const gone = current().partition();
    const spec = current().spec(gone, 'exec busybox sleep 1000', { devices: ['usb:0403:6001'] });
    await expect(current().life.do({ kind: 'start', deadlineMonoMs: null, spec })).rejects.toMatchObject({
      code: 'not-offered',
      detail: expect.stringContaining('usb:0403:6001'),
    });
    await current().life.do({ kind: 'remove', partition: gone, data: true });
  });
};

onCrun('devices of partitions', () => describe('that were granted', suite));
