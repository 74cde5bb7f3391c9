/** What every partition engine must do, whatever it is made of. Run by each engine's own test. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootMs } from '../../runtime/adapters/partitions/deadman.ts';
import { until } from '../../runtime/adapters/partitions/run.ts';
import { isAlive, type ProcessId } from '../../runtime/adapters/partitions/state.ts';
import type { PartitionSpec, Probe } from '../../runtime/ports/partitions.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { Bench, type Subject } from '../runtime/adapters/partitions/bench.ts';
import { type Life, remainsOf, STRAY } from '../runtime/adapters/partitions/driver.ts';
import { partitionHooks } from './partition-hooks.ts';
import { partitionLogs } from './partition-logs.ts';
import { words } from './partition-words.ts';

/** By how much a machine is slower than a PC: an emulated one needs seconds to begin what is given seconds to live. */
const SLOWNESS = Number(process.env.LICHEN_SLOWNESS ?? 1);

/** Says who it is and what it can reach, then waits. */
const LOOK = `
  { busybox id -u; busybox grep -E '^(CapEff|NoNewPrivs):' /proc/self/status; } > /data/who
  busybox ls /proc | busybox grep -c '^[0-9]' > /data/processes
  busybox ls /proc/self/fd | busybox cat > /data/descriptors
  (echo x > /written) 2>/dev/null && echo yes > /data/root || echo no > /data/root
  busybox dd if=/dev/zero of=/tmp/full bs=64k count=64 2> /data/tmp
  echo "$GREETING" > /data/env
  busybox pwd > /data/cwd
  echo done > /data/report
  exec busybox sleep 1000
`;

const isolation = (bench: () => Bench): void => {
  let partition: string;
  const read = (name: string): string => readFileSync(bench().data(partition, name), 'utf8').trim();

  beforeAll(async () => {
    partition = bench().partition();
    await bench().life.do({
      kind: 'start',
      deadlineMonoMs: null,
      spec: bench().spec(partition, LOOK, { env: { PATH: '/bin', GREETING: 'ä "b" $c' } }),
    });
    await bench().report(partition);
  });
  afterAll(() => bench().end(partition));

  it('is nobody: not uid 0, no capability, no privileges to gain [escape]', () => {
    const [uid, ...status] = read('who').split('\n');
    expect(Number(uid)).toBeGreaterThan(0);
    expect(status.map((line) => line.split('\t'))).toEqual(
      expect.arrayContaining([
        ['CapEff:', '0000000000000000'],
        ['NoNewPrivs:', '1'],
      ]),
    );
  });
  it('sees its own processes only [escape]', () => expect(Number(read('processes'))).toBeLessThan(8));
  it("has its three standard descriptors and no other; its reaper none of the runtime's parent [escape]", () => {
    // The fourth is the directory that is being listed.
    expect(read('descriptors').split('\n')).toEqual(['0', '1', '2', '3']);
    const { reaper } = JSON.parse(readFileSync(join(bench().dataPath, 'partitions', partition, 'state.json'), 'utf8'));
    expect(readdirSync(`/proc/${reaper.pid}/fd`)).not.toContain(String(STRAY));
  });
  it('cannot write its root [escape]', () => expect(read('root')).toBe('no'));
  it('has a /tmp of the size it was given [escape]', () => {
    expect(read('tmp')).toMatch(/No space left/);
    expect(read('tmp')).toMatch(/(?:^|\n)1[67]\+/);
  });
  it('gets its environment byte for byte and begins in /', () => {
    expect(read('env')).toBe('ä "b" $c');
    expect(read('cwd')).toBe('/');
  });
};

const COUNT =
  'i=0; while [ ! -e /data/stop ]; do i=$((i+1)); echo $i > /data/next; busybox mv /data/next /data/count; busybox sleep 0.05; done; exit 7';

const restarts = (bench: () => Bench): void => {
  const count = (partition: string): number => Number(readFileSync(bench().data(partition, 'count'), 'utf8'));
  const stopFile = (partition: string): void => writeFileSync(bench().data(partition, 'stop'), '');

  it('goes on while the runtime is killed, and the next life adopts it with its counters', async () => {
    const partition = bench().partition();
    const { address } = await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, COUNT) });
    await bench().report(partition, 'count');
    const before = await bench().counters(partition);
    const life = await bench().restart(async () => {
      const atDeath = count(partition);
      expect(await until(() => count(partition) >= atDeath + 3, 10_000), 'it counts with no runtime alive').toBe(true);
    });
    const { found } = await life.do({ kind: 'survey' });
    expect(found).toContainEqual({ partition, running: true, exit: null, address, deadlineMonoMs: null });
    const after = await bench().counters(partition);
    expect(after.cpuMicros).toBeGreaterThanOrEqual(before.cpuMicros);
    expect(after.pids).toBeGreaterThan(0);
    const adoptedAt = count(partition);
    expect(await until(() => count(partition) > adoptedAt, 10_000), 'it was not disturbed').toBe(true);
    expect(
      (await life.do({ kind: 'probe', partition, probe: { kind: 'exec', args: ['/bin/busybox', 'true'] }, timeoutMs: 5_000 })).ok,
    ).toBe(true);
    stopFile(partition);
    expect((await life.exited(partition)).exit).toEqual({ code: 7, signal: null, oomKilled: false });
    await bench().end(partition);
  });

  it('tells how an instance ended while no runtime lived', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, COUNT) });
    await bench().report(partition, 'count');
    const life = await bench().restart(async () => {
      stopFile(partition);
      const last = (): number => statSync(bench().data(partition, 'count')).mtimeMs;
      let seen = last();
      await new Promise((resolve) => setTimeout(resolve, 300));
      while (last() !== seen) {
        seen = last();
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    });
    const { found } = await life.do({ kind: 'survey' });
    expect(found).toContainEqual({
      partition,
      running: false,
      exit: { code: 7, signal: null, oomKilled: false },
      address: null,
      deadlineMonoMs: null,
    });
    const stopped = await life.do({ kind: 'stop', partition, graceMs: 0 });
    expect(stopped).toMatchObject({ exit: { code: 7 }, counters: { pids: 0 } });
    expect(stopped.counters.cpuMicros).toBeGreaterThan(0n);
    await bench().end(partition);
  });
};

const steps = (bench: () => Bench): void => {
  it('starts, answers its promises, is metered, stops for good and leaves nothing', async () => {
    const partition = bench().partition();
    const script = 'echo fine > /data/index.html; trap "exit 3" TERM; busybox httpd -f -p 8080 -h /data & wait';
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script) });
    expect(await bench().probe(partition, { kind: 'tcp', port: 8080 })).toBe('connected');
    expect(await bench().probe(partition, { kind: 'http', port: 8080, path: '/index.html' })).toBe('status 200');
    const ask = (probe: Probe) => bench().life.do({ kind: 'probe', partition, probe, timeoutMs: 2_000 });
    expect(await ask({ kind: 'http', port: 8080, path: '/none' })).toMatchObject({ ok: false, detail: 'status 404' });
    expect(await ask({ kind: 'tcp', port: 8081 })).toMatchObject({ ok: false });
    expect(await ask({ kind: 'exec', args: ['/bin/busybox', 'true'] })).toMatchObject({ ok: true });
    expect(await ask({ kind: 'exec', args: ['/bin/busybox', 'false'] })).toMatchObject({
      ok: false,
      detail: expect.stringContaining('status 1'),
    });
    const running = await bench().counters(partition);
    expect(running.pids).toBeGreaterThan(0);
    expect(running.memoryBytes).toBeGreaterThan(0n);

    const stopped = await bench().life.do({ kind: 'stop', partition, graceMs: 5_000 });
    expect(stopped.exit).toEqual({ code: 3, signal: null, oomKilled: false });
    expect(stopped.counters.pids).toBe(0);
    expect(stopped.counters.cpuMicros).toBeGreaterThanOrEqual(running.cpuMicros);
    const again = await bench().counters(partition);
    expect(again.cpuMicros, 'final is final').toBe(stopped.counters.cpuMicros);
    expect(bench().life.unasked, 'a stop that was asked for is not an exit').toEqual([]);

    await bench().life.do({ kind: 'remove', partition, data: true });
    expect((await bench().life.do({ kind: 'sample', partitions: [partition] })).counters.size).toBe(0);
    expect(existsSync(join(bench().dataPath, 'partitions', partition))).toBe(false);
    expect(
      bench()
        .remains()
        .filter((line) => line.includes(partition)),
    ).toEqual([]);
  });

  it('kills what does not heed its grace', async () => {
    const partition = bench().partition();
    await bench().life.do({
      kind: 'start',
      deadlineMonoMs: null,
      spec: bench().spec(partition, 'trap "" TERM; echo > /data/report; while :; do busybox sleep 1; done'),
    });
    await bench().report(partition);
    const { exit, counters } = await bench().life.do({ kind: 'stop', partition, graceMs: 100 });
    expect(exit).toEqual({ code: null, signal: 'SIGKILL', oomKilled: false });
    expect(counters.pids).toBe(0);
    await bench().end(partition);
  });

  it('tells of an exit unasked, with its status, and ends what the first process left behind', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, 'busybox sleep 1000 & exit 41') });
    expect((await bench().life.exited(partition)).exit).toEqual({ code: 41, signal: null, oomKilled: false });
    expect(bench().life.order.slice(-2), 'the start is told first').toEqual(['started', 'exited']);
    expect((await bench().life.do({ kind: 'stop', partition, graceMs: 0 })).counters.pids).toBe(0);
    await bench().end(partition);
  });

  it('keeps data and its owner through a removal, and counters through a restart of the instance', async () => {
    const partition = bench().partition();
    const spec = bench().spec(
      partition,
      'echo x >> /data/kept; busybox id -u >> /data/uids; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo > /data/report; exec busybox sleep 1000',
    );
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    await bench().report(partition);
    const { counters } = await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    rmSync(bench().data(partition, 'report'));
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    await bench().report(partition);
    expect((await bench().counters(partition)).cpuMicros, 'a restart does not set the meter back').toBeGreaterThan(counters.cpuMicros);
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    await bench().life.do({ kind: 'remove', partition, data: false });
    expect(readFileSync(bench().data(partition, 'kept'), 'utf8')).toBe('x\nx\n');
    rmSync(bench().data(partition, 'report'));
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    await bench().report(partition);
    expect(new Set(readFileSync(bench().data(partition, 'uids'), 'utf8').trim().split('\n')).size).toBe(1);
    await bench().end(partition);
  });

  it('refuses what cannot be, says why, and goes on', async () => {
    const partition = bench().partition();
    const refusal = async (step: Parameters<Life['ask']>[0]): Promise<LichenError> => {
      const event = await bench().life.ask(step);
      if (event.kind !== 'refused') throw new Error(`not refused: ${event.kind}`);
      return event.error;
    };
    const missing = await refusal({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, '', { args: ['/bin/nowhere'] }) });
    expect(missing.code).toBe('bad-release');
    expect(missing.detail).toContain('/bin/nowhere');
    expect(await refusal({ kind: 'stop', partition: bench().partition(), graceMs: 0 })).toMatchObject({ code: 'not-found' });
    expect(await refusal({ kind: 'remove', partition: '../../etc', data: true })).toMatchObject({ code: 'internal' });
    const spec = bench().spec(partition, 'exec busybox sleep 1000');
    const { address } = await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    expect(await refusal({ kind: 'start', deadlineMonoMs: null, spec })).toMatchObject({ code: 'conflict' });
    expect((await bench().life.do({ kind: 'survey' })).found).toContainEqual({
      partition,
      running: true,
      exit: null,
      address,
      deadlineMonoMs: null,
    });
    await bench().end(partition);
    await bench().life.do({ kind: 'remove', partition, data: true }); // once more changes nothing
  });

  it('ends an exec probe at its limit, and nothing of it stays', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, 'exec busybox sleep 1000') });
    const probe: Probe = { kind: 'exec', args: ['/bin/busybox', 'sleep', '999'] };
    const probed = await bench().life.do({ kind: 'probe', partition, probe, timeoutMs: 300 });
    expect(probed).toMatchObject({ ok: false, detail: 'no end in 300 ms' });
    const { counters } = await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    expect(counters.pids).toBe(0);
    await bench().end(partition);
  });
};

/** What the engine says it can give it gives, and what it cannot it refuses; neither is done by halves. */
const reach = (bench: () => Bench): void => {
  const NOTHING = { outbound: [], dns: false, lan: false, links: [], publish: [] };
  const SLEEP = 'exec busybox sleep 1000';
  const refusal = async (step: Parameters<Life['ask']>[0]): Promise<string | null> => {
    const event = await bench().life.ask(step);
    return event.kind === 'refused' ? event.error.code : null;
  };

  it('is nothing, said with the start or later, and changes nothing of what runs', async () => {
    const partition = bench().partition();
    const spec = bench().spec(partition, SLEEP, { network: NOTHING });
    const { address } = await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    await bench().life.do({ kind: 'connect', partition, network: NOTHING });
    expect(bench().life.unasked).toEqual([]);
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    const again = await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    expect(again.address, 'an address is for good').toBe(address);
    await bench().end(partition);
  });

  it('is refused for what does not run', async () => {
    expect(await refusal({ kind: 'connect', partition: bench().partition(), network: NOTHING })).toBe('not-found');
  });

  it('is refused where it is not offered', async () => {
    const partition = bench().partition();
    const { grants } = bench().life.enforcement;
    const start = (more: Partial<PartitionSpec>) =>
      refusal({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, SLEEP, { ...more, limits: {} }) });
    expect(await start({ devices: ['usb:dead:beef'] })).toBe('not-offered');
    const linked = { ...NOTHING, links: [{ name: 'db', partition: bench().partition(), port: 1, protocol: 'tcp' as const }] };
    if (!grants.includes('links')) expect(await start({ network: linked })).toBe('not-offered');
    const dialling = { ...NOTHING, outbound: [{ to: 'internet', port: 443, protocol: 'tcp' as const }] };
    if (!grants.includes('internet')) expect(await start({ network: dialling })).toBe('not-offered');
    await bench().life.do({ kind: 'remove', partition, data: true });
  });
};

const books = (bench: () => Bench): void => {
  it('ends and removes what is in the kernel but not in the books', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, 'exec busybox sleep 1000') });
    const life = await bench().restart(async () => rmSync(`${bench().dataPath}/partitions/${partition}/state.json`));
    const { found } = await life.do({ kind: 'survey' });
    expect(found.map((one) => one.partition)).not.toContain(partition);
    expect(life.logged.join('\n')).toContain(partition);
    expect(
      await until(
        () =>
          bench()
            .remains()
            .filter((line) => line.includes(partition)).length === 0,
        3_000,
      ),
      bench().remains().join('\n'),
    ).toBe(true);
    await life.do({ kind: 'remove', partition, data: true });
  });

  it('starts over what a cut start left half made', async () => {
    const partition = bench().partition();
    const spec = bench().spec(partition, 'echo x >> /data/report; exec busybox sleep 1000');
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    await bench().report(partition);
    const path = `${bench().dataPath}/partitions/${partition}/state.json`;
    const life = await bench().restart(async () => {
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), first: null, reaper: null, address: null }));
    });
    expect((await life.do({ kind: 'survey' })).found).toContainEqual(expect.objectContaining({ partition, running: false }));
    rmSync(bench().data(partition, 'report'));
    await life.do({ kind: 'start', deadlineMonoMs: null, spec });
    expect(await bench().report(partition)).toBe('x\n');
    await bench().end(partition);
  });

  it('takes a reboot for what it is: over, with nothing known of the end', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, 'exec busybox sleep 1000') });
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    const path = `${bench().dataPath}/partitions/${partition}/state.json`;
    const life = await bench().restart(async () => {
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), bootId: 'another', ended: false, exit: null }));
    });
    expect((await life.do({ kind: 'survey' })).found).toContainEqual({
      partition,
      running: false,
      exit: null,
      address: null,
      deadlineMonoMs: null,
    });
    await bench().end(partition);
  });
};

/** Burns by its own clock of CPU time, so that a busy machine changes nothing; then stays, to be read alive. */
const burn = (micros: number): string => `
  const { writeFileSync } = require('node:fs');
  const spent = () => { const { user, system } = process.cpuUsage(); return user + system; };
  while (spent() < ${micros});
  writeFileSync('/data/report', String(spent()));
  setTimeout(() => {}, 1_000_000);
`;

const SERVE = `
  require('node:http').createServer((request, response) => response.end('x'.repeat(200_000))).listen(8080);
`;

const node = (bench: () => Bench): void => {
  it('meters CPU time to within 2% of what the program itself was told, alive and in the end', async () => {
    // What the program cannot see of itself, before it begins and while it ends, is the same for a short and a long run.
    const measured = async (micros: number): Promise<{ own: number; alive: number; final: number }> => {
      const partition = bench().partition();
      await bench().life.do({
        kind: 'start',
        deadlineMonoMs: null,
        spec: bench().spec(partition, '', { engine: 'node', args: ['/usr/bin/node', '-e', burn(micros)] }),
      });
      const own = Number(await bench().report(partition));
      const alive = Number((await bench().counters(partition)).cpuMicros);
      return { own, alive, final: Number((await bench().end(partition)).cpuMicros) };
    };
    // The first one of all reads the program from the card.
    await measured(0);
    const short = await measured(0);
    // So long that a busy machine, on which a start takes more of the processor now and then, is within it.
    const long = await measured(short.own + 4_000_000 * SLOWNESS);
    const told = long.own - short.own;
    for (const metered of [long.alive - short.alive, long.final - short.final]) {
      expect(metered).toBeGreaterThan(told * 0.98);
      expect(metered).toBeLessThan(told * 1.02);
    }
  });

  it("serves from a board's own Node, and the bytes are counted the right way round", async () => {
    const partition = bench().partition();
    const { address } = await bench().life.do({
      kind: 'start',
      deadlineMonoMs: null,
      spec: bench().spec(partition, '', { engine: 'node', args: ['/usr/bin/node', '-e', SERVE] }),
    });
    await bench().probe(partition, { kind: 'http', port: 8080, path: '/' });
    const { network } = bench().life.enforcement;
    expect(address !== null, 'an address is told exactly where it can be reached').toBe(network);
    if (address !== null) {
      const before = await bench().counters(partition);
      await new Promise((resolve, reject) =>
        get({ host: address, port: 8080 }, (response) => response.resume().on('end', resolve)).on('error', reject),
      );
      const after = await bench().counters(partition);
      expect(after.netOutBytes - before.netOutBytes).toBeGreaterThan(200_000n);
      expect(after.netInBytes - before.netInBytes).toBeGreaterThan(0n);
      expect(after.netInBytes - before.netInBytes).toBeLessThan(50_000n);
    }
    const final = await bench().end(partition);
    expect(final.netOutBytes > 200_000n).toBe(network);
  });
};

/** Everything below has an end of its own: a machine on which a dead-man does not come must not hang. */
const deadlines = (bench: () => Bench): void => {
  const SLEEP = 'exec busybox sleep 1000';
  const firstOf = (partition: string): ProcessId =>
    JSON.parse(readFileSync(join(bench().dataPath, 'partitions', partition, 'state.json'), 'utf8')).first;
  const start = (partition: string, deadlineMonoMs: number, life = bench().life) =>
    life.do({ kind: 'start', deadlineMonoMs, spec: bench().spec(partition, SLEEP) });
  /** A look each second, and what a busy machine adds. */
  const LATE_MS = LIMITS.killMs * SLOWNESS;
  const diesAt = async (partition: string, deadlineMonoMs: number): Promise<void> => {
    const first = firstOf(partition);
    await until(() => !isAlive(first), deadlineMonoMs - bootMs() + LATE_MS);
    expect(isAlive(first)).toBe(false);
    // A hundredth is what /proc/uptime tells.
    expect(bootMs()).toBeGreaterThanOrEqual(deadlineMonoMs - 10);
  };

  it('kill what they are about while the runtime hangs [guardians-6]', async () => {
    const partition = bench().partition();
    const { life } = bench();
    const deadlineMonoMs = bootMs() + 3_000 * SLOWNESS;
    await start(partition, deadlineMonoMs);
    life.signal('SIGSTOP');
    try {
      await diesAt(partition, deadlineMonoMs);
    } finally {
      life.signal('SIGCONT');
    }
    expect((await life.exited(partition)).exit.signal).toBe('SIGKILL');
    await bench().end(partition);
  });

  it('kill it while there is no runtime, and are told to the next one', async () => {
    const partition = bench().partition();
    // So far away that a next life is there before, on however slow a machine.
    const began = bootMs();
    await bench().restart();
    const deadlineMonoMs = bootMs() + 3_000 * SLOWNESS + 3 * (bootMs() - began);
    await start(partition, deadlineMonoMs);
    const life = await bench().restart();
    const { found } = await life.do({ kind: 'survey' });
    const told = found.find((one) => one.partition === partition);
    expect(told?.running).toBe(true);
    expect(Math.abs((told?.deadlineMonoMs ?? 0) - deadlineMonoMs)).toBeLessThanOrEqual(10);
    await bench().restart(() => diesAt(partition, deadlineMonoMs));
    await bench().end(partition);
  });

  it('are put off and never brought forward', async () => {
    const partition = bench().partition();
    const { life } = bench();
    const deadlineMonoMs = bootMs() + 3_000 * SLOWNESS;
    await start(partition, deadlineMonoMs);
    await life.do({ kind: 'extend', partition, deadlineMonoMs: deadlineMonoMs + 3_000 * SLOWNESS });
    await life.do({ kind: 'extend', partition, deadlineMonoMs: deadlineMonoMs - 2_000 * SLOWNESS });
    await diesAt(partition, deadlineMonoMs + 3_000 * SLOWNESS);
    await bench().end(partition);
  });

  it('that are over let nothing begin, and stop nothing that is stopped', async () => {
    const partition = bench().partition();
    await expect(start(partition, bootMs() - 1)).rejects.toMatchObject({ code: 'conflict' });
    await start(partition, bootMs() + 60_000 * SLOWNESS);
    const { deadman } = JSON.parse(readFileSync(join(bench().dataPath, 'partitions', partition, 'state.json'), 'utf8'));
    expect(isAlive(deadman)).toBe(true);
    await bench().end(partition);
    expect(await until(() => !isAlive(deadman), LATE_MS)).toBe(true);
  });
};

/** What cannot be watched from outside is not begun. */
const noDeadlines = (bench: () => Bench): void => {
  it('are refused where nothing could keep them', async () => {
    const partition = bench().partition();
    const spec = bench().spec(partition, 'exec busybox sleep 1000');
    const started = bench().life.do({ kind: 'start', deadlineMonoMs: bootMs() + 60_000, spec });
    await expect(started).rejects.toMatchObject({ code: 'not-offered' });
    await bench().life.do({ kind: 'remove', partition, data: true });
  });
};

export const partitionsContract = (subject: Subject): void => {
  describe(`partitions: ${subject.name}`, () => {
    let bench: Bench | null = null;
    const current = (): Bench => {
      if (bench === null) throw new Error('the bench is not open');
      return bench;
    };
    beforeAll(async () => {
      bench = new Bench(subject);
      await bench.open();
    });
    afterAll(async () => {
      const { board, dataPath } = current();
      const used = current();
      await used.close();
      // Checked here and not in a test: it holds for all of them together.
      expect(await until(() => used.remains().length === 0, 3_000), used.remains().join('\n')).toBe(true);
      expect(remainsOf(board, dataPath, [])).toEqual([]);
    });

    it('says what it enforces and, below full, what to do', () => {
      const { tier, lacks, ...enforced } = current().life.enforcement;
      if (tier === 'full') expect(lacks).toEqual([]);
      else expect(lacks.length).toBeGreaterThan(0);
      for (const lack of lacks) expect(lack).toMatch(/[:;] .+\.$/);
      if (tier === 'dev') expect(enforced).toMatchObject({ memory: false, cpu: false, pids: false, disk: false });
    });
    it('does not start what asks for more than it can hold or keep', async () => {
      const { io, quota, secrets } = current().life.enforcement;
      const asked = [
        { can: io, more: { limits: { writeKibPerS: 1024 } } },
        { can: quota, more: { limits: { dataMib: 4 } } },
        { can: secrets, more: { secrets: { key: new Uint8Array([1]) } } },
      ];
      for (const { more } of asked.filter(({ can }) => !can)) {
        const partition = current().partition();
        const spec = current().spec(partition, 'exec busybox sleep 1000', more);
        await expect(current().life.do({ kind: 'start', deadlineMonoMs: null, spec })).rejects.toMatchObject({ code: 'not-offered' });
        await current().life.do({ kind: 'remove', partition, data: true });
      }
    });
    describe('steps', () => steps(current));
    describe('isolation', () => isolation(current));
    describe('restarts of the runtime', () => restarts(current));
    describe('reach', () => reach(current));
    describe('books', () => books(current));
    describe('hooks', () => partitionHooks(current));
    describe('logs', () => partitionLogs(current, subject.tier));
    describe('deadlines', () => (subject.tier === 'dev' ? noDeadlines(current) : deadlines(current)));
    describe('words', () => words(current));
    describe('node', () => node(current));
    const { more } = subject;
    if (more !== undefined) describe('its own', () => more(current));
  });
};
