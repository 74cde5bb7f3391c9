/** What a hostile program does to files, descriptors and memory that looks like files. Each is refused or held, and others go on. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { boardName } from '../../../../runtime/adapters/partitions/names.ts';
import type { PartitionLimits } from '../../../../runtime/ports/partitions.ts';
import type { Bench } from './bench.ts';

const start = (bench: Bench, partition: string, script: string, limits: Partial<PartitionLimits> = {}) =>
  bench.life.do({ kind: 'start', deadlineMonoMs: null, spec: bench.spec(partition, script, { limits }) });

export const hostileData = (bench: () => Bench): void => {
  it("descriptors end where the release says, cannot be had back, and are nobody else's [escape]", async () => {
    const [greedy, modest] = [bench().partition(), bench().partition()];
    // busybox's tail opens all of its files before it reads the first.
    const script = `
      busybox sh -c 'ulimit -n' > /data/soft; busybox sh -c 'ulimit -Hn' > /data/hard
      busybox sh -c 'ulimit -n 4096' 2> /data/raised && echo yes > /data/raised
      busybox seq 1 200 > /data/paths
      busybox tail -n 1 $(busybox sed 's|.*|/proc/self/status|' /data/paths) > /dev/null 2> /data/opened; echo $? > /data/report
      exec busybox sleep 1000`;
    await start(bench(), greedy, script, { openFiles: 32 });
    await bench().report(greedy);
    const read = (name: string): string => readFileSync(bench().data(greedy, name), 'utf8').trim();
    expect([read('soft'), read('hard')]).toEqual(['32', '32']);
    expect(read('raised')).not.toBe('yes');
    expect(read('opened')).toContain('Too many open files');
    await start(bench(), modest, "busybox sh -c 'ulimit -n' > /data/report; exec busybox sleep 1000");
    expect(Number(await bench().report(modest))).toBeGreaterThan(32);
    await bench().end(greedy);
    await bench().end(modest);
  });

  it('every place in memory that can be written to is full at its size, and no other can be written to [escape]', async () => {
    const partition = bench().partition();
    const script = `
      for at in /tmp /dev/shm; do busybox dd if=/dev/zero of=$at/full bs=64k count=256 2> /dev/null; busybox stat -c '%n %s' $at/full; done > /data/sizes
      for at in / /dev /proc /sys /run /etc; do (echo x > $at/written) 2> /dev/null && echo $at; done > /data/written
      echo > /data/report; exec busybox sleep 1000`;
    await start(bench(), partition, script, { tmpMib: 2 });
    await bench().report(partition);
    const sizes = readFileSync(bench().data(partition, 'sizes'), 'utf8').trim().split('\n');
    expect(sizes.map((line) => Number(line.split(' ')[1]) <= 2 * 1024 * 1024)).toEqual([true, true]);
    expect(readFileSync(bench().data(partition, 'written'), 'utf8').trim()).toBe('');
    await bench().end(partition);
  });

  it('links in /data lead the runtime nowhere: not when it starts it again, and not when it takes it away [escape]', async () => {
    const partition = bench().partition();
    const victim = join(bench().directory, 'victim');
    mkdirSync(victim);
    writeFileSync(join(victim, 'file'), 'kept');
    chmodSync(victim, 0o700);
    const before = statSync(victim);
    // Swapped as fast as it can, so that whoever walks the tree meets now one and now the other.
    const script = `
      cd /data; busybox ln -s ${victim} link; busybox ln -s ${victim}/file hard; busybox mkdir -p deep/er; busybox ln -s ${victim} deep/er/link
      echo > /data/report
      while :; do busybox mv deep was; busybox ln -s ${victim} deep; busybox rm deep; busybox mv was deep; done`;
    await start(bench(), partition, script);
    await bench().report(partition);
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    await start(bench(), partition, script.replace('busybox ln -s', ':;busybox ln -sf'));
    await bench().end(partition);
    expect(existsSync(join(bench().dataPath, 'partitions', partition))).toBe(false);
    expect(readFileSync(join(victim, 'file'), 'utf8')).toBe('kept');
    const after = statSync(victim);
    expect([after.uid, after.mode, after.mtimeMs]).toEqual([before.uid, before.mode, before.mtimeMs]);
  });

  it("nobody reads what is another's: not inside, and not with its user id outside [escape]", async () => {
    const [mine, theirs] = [bench().partition(), bench().partition()];
    await start(bench(), theirs, 'echo secret > /data/report; busybox chmod 666 /data/report; exec busybox sleep 1000');
    await bench().report(theirs);
    const path = bench().data(theirs, 'report');
    const script = `
      for at in ${path} /proc/1/root${path} /proc/self/root${path} /proc/1/cwd${path} ../../../../..${path}; do busybox cat $at; done > /data/found 2> /dev/null
      busybox ls /proc | busybox grep -c '^[0-9]' > /data/report; exec busybox sleep 1000`;
    await start(bench(), mine, script);
    await bench().report(mine);
    expect(readFileSync(bench().data(mine, 'found'), 'utf8')).toBe('');
    const [own, other] = [mine, theirs].map((partition) => statSync(bench().data(partition)).uid);
    expect(own).not.toBe(other);
    const asOwn = (): unknown => execFileSync('cat', [path], { stdio: 'pipe', ...(own !== undefined && { uid: own, gid: own }) });
    expect(asOwn).toThrow(/Permission denied/);
    await bench().end(mine);
    await bench().end(theirs);
  });

  it('secrets are files of its user alone in memory, there from the first instruction, and on no card [escape]', async () => {
    const partition = bench().partition();
    const secrets = { password: new Uint8Array([0, 255, 10, 99]), key: new Uint8Array(Buffer.from('a very secret key')) };
    const script = `
      busybox stat -c '%n %a %u' /run/secrets /run/secrets/* > /data/modes; busybox grep ' /run/secrets ' /proc/mounts > /data/mounts
      busybox hexdump -e '1/1 "%02x"' /run/secrets/password > /data/password
      busybox env > /data/env; busybox id -u > /data/report; exec busybox sleep 1000`;
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script, { secrets }) });
    const uid = (await bench().report(partition)).trim();
    const read = (name: string): string => readFileSync(bench().data(partition, name), 'utf8').trim();
    expect(read('modes').split('\n')).toEqual([
      `/run/secrets 500 ${uid}`,
      `/run/secrets/key 400 ${uid}`,
      `/run/secrets/password 400 ${uid}`,
    ]);
    expect(read('mounts')).toMatch(/tmpfs rw,nosuid,nodev,noexec/);
    expect(read('password')).toBe('00ff0a63');
    expect(read('env')).not.toContain('secret');
    // Files alone: a reaper has pipes there, and busybox's grep would wait for somebody to write into one.
    const places = [bench().dataPath, `/run/${boardName(bench().board)}`];
    const holding = (text: string): string =>
      spawnSync('find', [...places, '-type', 'f', '-exec', 'grep', '-lF', text, '{}', '+'], { encoding: 'utf8', timeout: 30_000 }).stdout;
    expect(holding('/run/secrets'), 'the search finds what is there').toContain('config.json');
    expect(holding('a very secret key')).toBe('');
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script) });
    await bench().report(partition);
    await bench().end(partition);
  });
};
