/** What is said between a runtime and an instance: parameters in, words out, promises about files, signals, an heir. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../runtime/adapters/partitions/run.ts';
import type { KeptData, Probe } from '../../runtime/ports/partitions.ts';
import type { Bench } from '../runtime/adapters/partitions/bench.ts';

const OUT = '/run/lichen/out';
const GIVEN = '/run/lichen/parameters.json';

/** Says what it was given, and again whenever it is told to; ends by SIGINT in a way of its own. */
const HEED = `
  trap 'busybox cat ${GIVEN} > /data/next; busybox mv /data/next /data/heard' HUP
  trap 'exit 9' INT
  busybox cat ${GIVEN} > /data/report
  (echo x > ${GIVEN}) 2> /dev/null && echo yes > /data/wrote || echo no > /data/wrote
  while :; do busybox sleep 0.1; done
`;

export const words = (bench: () => Bench): void => {
  const begin = async (script: string, parameters = '{}'): Promise<string> => {
    const partition = bench().partition();
    const spec = bench().spec(partition, script, { parameters });
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    return partition;
  };
  const look = (partition: string) => bench().life.do({ kind: 'look', partition });
  const probe = (partition: string, of: Probe) => bench().life.do({ kind: 'probe', partition, probe: of, timeoutMs: 5_000 });

  it('parameters are read and cannot be written, and others come with a signal', async () => {
    const partition = await begin(HEED, '{"port":8080}');
    expect(JSON.parse(await bench().report(partition))).toEqual({ port: 8080 });
    expect((await bench().report(partition, 'wrote')).trim()).toBe('no');
    await bench().life.do({ kind: 'reload', partition, parameters: '{"port":8081}', signal: 'SIGHUP' });
    expect(JSON.parse(await bench().report(partition, 'heard'))).toEqual({ port: 8081 });
    const { exit } = await bench().life.do({ kind: 'stop', partition, graceMs: 5_000, signal: 'SIGINT' });
    expect(exit, 'it is asked to end by the signal that it knows').toMatchObject({ code: 9 });
    const late = bench().life.do({ kind: 'reload', partition, parameters: '{}', signal: 'SIGHUP' });
    await expect(late).rejects.toMatchObject({ code: 'not-found' });
    await bench().end(partition);
  });

  it('whom it serves is read, others come with a signal, and what it says to them is seen', async () => {
    const partition = bench().partition();
    const script = HEED.replaceAll(GIVEN, '/run/lichen/shares.json').replace('while', `echo '{"a":{}}' > ${OUT}/shares.json; while`);
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: { ...bench().spec(partition, script), shares: '["a"]' } });
    expect(JSON.parse(await bench().report(partition))).toEqual(['a']);
    expect((await bench().report(partition, 'wrote')).trim()).toBe('no');
    await bench().life.do({ kind: 'reload', partition, parameters: '{}', shares: '["a","b"]', signal: 'SIGHUP' });
    expect(JSON.parse(await bench().report(partition, 'heard'))).toEqual(['a', 'b']);
    expect(await look(partition)).toMatchObject({ shares: '{"a":{}}\n', connection: null });
    await bench().end(partition);
  });

  it('what it publishes is seen, and that it would not be replaced, also by the next life of the runtime', async () => {
    const partition = await begin(`
      echo '{"url":"x:y"}' > ${OUT}/next; busybox mv ${OUT}/next ${OUT}/connection.json
      echo done > /data/report
      while [ ! -e /data/hold ]; do busybox sleep 0.05; done; echo > ${OUT}/hold; echo > /data/held
      while [ ! -e /data/free ]; do busybox sleep 0.05; done; busybox rm ${OUT}/hold; echo done > /data/freed
      exec busybox sleep 1000
    `);
    await bench().report(partition);
    expect(await look(partition)).toMatchObject({ connection: '{"url":"x:y"}\n', holds: false });
    writeFileSync(bench().data(partition, 'hold'), '');
    await bench().report(partition, 'held');
    await bench().restart();
    await bench().life.do({ kind: 'survey' });
    expect(await look(partition)).toMatchObject({ connection: '{"url":"x:y"}\n', holds: true });
    writeFileSync(bench().data(partition, 'free'), '');
    await bench().report(partition, 'freed');
    expect(await look(partition)).toMatchObject({ holds: false });
    await bench().end(partition);
    expect(await look(partition)).toMatchObject({ connection: null, holds: false });
  });

  it('leads nobody out: links, pipes and directories are not what they say [escape]', async () => {
    const partition = await begin(`
      cd ${OUT}
      busybox ln -s /etc/passwd connection.json; busybox mkfifo hold
      busybox ln -s / /data/root; busybox mkdir /data/dir; busybox mkfifo /data/pipe
      busybox ln -s /proc/self/root/etc/passwd /data/link
      echo done > /data/report; exec busybox sleep 1000
    `);
    await bench().report(partition);
    expect(await look(partition)).toMatchObject({ connection: null, holds: false });
    for (const path of ['/data/link', '/data/root/etc/passwd', '/data/dir', '/data/pipe', '/data/../etc/passwd', '/data/none']) {
      const probed = await probe(partition, { kind: 'value', path, min: '-999999', max: '999999' });
      expect(probed, path).toMatchObject({ ok: false, detail: `there is no file ${path}` });
    }
    await bench().end(partition);
  });

  it('cannot fill what it says it in [escape]', async () => {
    const partition = await begin(`
      busybox dd if=/dev/zero of=${OUT}/full bs=4k count=64 2> /data/full
      i=0; while [ $i -lt 200 ]; do busybox touch ${OUT}/f$i 2> /dev/null || break; i=$((i+1)); done; echo $i > /data/files
      echo done > /data/report; exec busybox sleep 1000
    `);
    await bench().report(partition);
    expect(readFileSync(bench().data(partition, 'full'), 'utf8')).toMatch(/No space left/);
    expect(Number(readFileSync(bench().data(partition, 'files'), 'utf8'))).toBeLessThan(64);
    await bench().end(partition);
  });

  it('promises about a file and about a number hold and break with them', async () => {
    const partition = await begin(`
      echo 'T=21.5 C' > /data/degrees; echo x > /data/fresh; echo x > /data/old; busybox touch -d '2001-01-01 00:00' /data/old
      echo x > /data/ahead; busybox touch -d '2037-01-01 00:00' /data/ahead
      echo done > /data/report; exec busybox sleep 1000
    `);
    await bench().report(partition);
    const file = (path: string): Probe => ({ kind: 'file', path, maxAgeMs: 60_000 });
    expect(await probe(partition, file('/data/fresh'))).toMatchObject({ ok: true });
    expect(await probe(partition, file('/data/old'))).toMatchObject({ ok: false, detail: expect.stringMatching(/ms old$/) });
    expect(await probe(partition, file('/data/ahead'))).toMatchObject({ ok: false, detail: expect.stringMatching(/ms ahead$/) });
    const value = (min: string, max: string): Probe => ({ kind: 'value', path: '/data/degrees', min, max });
    expect(await probe(partition, value('-10', '21.5'))).toMatchObject({ ok: true, detail: '21.5' });
    expect(await probe(partition, value('22', '30'))).toMatchObject({ ok: false, detail: '21.5 is not between 22 and 30' });
    const reading = (script: string): Probe => ({ kind: 'reading', args: ['/bin/busybox', 'sh', '-c', script], min: '3', max: '7' });
    expect(await probe(partition, reading('echo level -1.5 4'))).toMatchObject({ ok: false, detail: '-1.5 is not between 3 and 7' });
    expect(await probe(partition, reading('echo 4'))).toMatchObject({ ok: true, detail: '4' });
    expect(await probe(partition, reading('echo four'))).toMatchObject({ ok: false, detail: 'no number' });
    expect(await probe(partition, reading('echo 4; exit 2'))).toMatchObject({ ok: false, detail: expect.stringContaining('status 2') });
    await bench().end(partition);
  });

  describe('an heir', () => {
    it('has the data of who is removed for it, and its owner', async () => {
      const partition = await begin('echo kept > /data/report; busybox id -u > /data/uid; exec busybox sleep 1000');
      await bench().report(partition);
      const uid = await bench().report(partition, 'uid');
      const heir = bench().partition();
      await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
      await bench().life.do({ kind: 'remove', partition, data: true, heir });
      await bench().life.do({ kind: 'remove', partition, data: true, heir }); // once more changes nothing
      expect(existsSync(join(bench().dataPath, 'partitions', partition))).toBe(false);
      const script = 'busybox id -u > /data/uid2; busybox cat /data/report > /data/again; exec busybox sleep 1000';
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(heir, script) });
      expect(await bench().report(heir, 'again')).toBe('kept\n');
      expect(await bench().report(heir, 'uid2')).toBe(uid);
      await bench().end(heir);
    });

    it('that has data of its own keeps them', async () => {
      const [partition, heir] = [
        await begin('echo his > /data/report; exec busybox sleep 1000'),
        await begin('echo own > /data/report; exec busybox sleep 1000'),
      ];
      for (const one of [partition, heir]) await bench().report(one);
      await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
      await bench().life.do({ kind: 'remove', partition, data: true, heir });
      expect(readFileSync(bench().data(heir, 'report'), 'utf8')).toBe('own\n');
      await bench().end(heir);
    });
  });

  it('/data as a former release left it comes back, with its owner, also at an heir [instances-27]', async () => {
    const [partition, heir] = [bench().partition(), bench().partition()];
    const run = async (of: string, script: string, kept: KeptData, ends: string): Promise<string> => {
      const spec = bench().spec(of, `${script}; busybox cat /data/report > /data/${ends}; exec busybox sleep 1000`);
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: { ...spec, kept } });
      const seen = await bench().report(of, ends);
      await bench().life.do({ kind: 'stop', partition: of, graceMs: 0 });
      return seen;
    };
    await run(partition, 'echo old > /data/report', 'drop', 'first');
    const owner = statSync(bench().data(partition, 'report')).uid;
    await bench().life.do({ kind: 'remove', partition, data: true, heir });
    expect(await run(heir, 'echo new > /data/report; echo more > /data/more', 'take', 'second')).toBe('new\n');
    await bench().life.do({ kind: 'remove', partition: heir, data: false });
    expect(await run(heir, 'true', 'return', 'third')).toBe('old\n');
    expect(existsSync(bench().data(heir, 'more'))).toBe(false);
    expect(statSync(bench().data(heir, 'report')).uid).toBe(owner);
    await bench().life.do({ kind: 'drop', partition: heir });
    await bench().end(heir);
    expect(existsSync(join(bench().dataPath, 'partitions', heir))).toBe(false);
  });

  it('a program that cannot be run is refused before anything of it is made', async () => {
    const partition = bench().partition();
    const start = (args: string[]) => bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, '', { args }) });
    await expect(start(['/bin'])).rejects.toMatchObject({ code: 'bad-release', detail: '/bin is not executable' });
    await expect(start(['/bin/nowhere'])).rejects.toMatchObject({ code: 'bad-release', detail: 'the release has no /bin/nowhere' });
    expect(await until(() => !existsSync(join(bench().dataPath, 'partitions', partition)), 1_000)).toBe(true);
    rmSync(join(bench().dataPath, 'partitions', partition), { recursive: true, force: true });
  });
};
