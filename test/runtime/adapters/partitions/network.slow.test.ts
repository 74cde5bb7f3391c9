/** What passes between partitions, board and world: packets between namespaces of a network that is the test's own. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { addressOf, boardName } from '../../../../runtime/adapters/partitions/names.ts';
import { until } from '../../../../runtime/adapters/partitions/run.ts';
import type { NetworkPolicy } from '../../../../runtime/ports/partitions.ts';
import { Bench } from './bench.ts';
import { BOARD, BoardNet, OUTSIDE, Who } from './board-net.ts';
import { remainsOf } from './driver.ts';
import { busyboxPath } from './root.ts';

const PORT = 7000;
const INSIDE_PORT = 7100;
/** Names are asked for again each 300 ms here; how soon that shows is the machine's. */
const SETTLES = { timeout: 15_000, interval: 100 };
const NOTHING: NetworkPolicy = { outbound: [], dns: false, lan: false, links: [], publish: [] };
const SLEEP = 'exec busybox sleep 1000';
const tcp = (to: string, port = PORT) => ({ to, port, protocol: 'tcp' as const });
const udp = (to: string, port = PORT) => ({ to, port, protocol: 'udp' as const });

/** Serves a page that says who it is. */
const serve = (says: string): string =>
  `echo ${says} > /data/index.html; busybox httpd -f -v -p ${INSIDE_PORT} -h /data & echo up > /data/up; ${SLEEP}`;

/** Sends one datagram, from a port or address of its choice, with the C library's numbers: perl's own modules are not there. */
const SEND = `
  my ($to, $port, $from, $text) = @ARGV;
  my $six = sub { pack('S n N a16 N', 10, $_[1], 0, pack('n8', map { hex } split(/:/, $_[0])), 0) };
  socket(my $socket, 10, 2, 0) or die "socket $!";
  setsockopt($socket, 41, 78, pack('i', 1)) or die "freebind $!";
  if ($from ne '') { bind($socket, $six->($from, 0)) or die "bind $!"; }
  defined(send($socket, $text, 0, $six->($to, $port))) or die "send $!";
`;
/** Perl has no parser of addresses without its modules, so they are written out. */
const full = (address: string): string => {
  const [head = '', tail] = address.split('::');
  const left = head.split(':');
  const right = tail === undefined ? [] : tail.split(':');
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right].join(':');
};

const suite = (): void => {
  let bench: Bench;
  let world: Who;
  let board: Who;
  const used: string[] = [];

  beforeAll(async () => {
    bench = new Bench({ name: 'crun', tier: 'best', uid: null, net: (directory) => BoardNet.open(directory) });
    await bench.open();
    world = await Who.in(bench.net.worldPid, PORT);
    board = await Who.in(bench.net.boardPid, PORT);
  });
  afterEach(async () => {
    for (const partition of used.splice(0)) await bench.end(partition);
    expect(tables(), 'the last one takes the table of the board with it').toBe('');
  });
  afterAll(async () => {
    world.close();
    board.close();
    const { board: id, dataPath } = bench;
    await bench.close();
    expect(remainsOf(id, dataPath, [])).toEqual([]);
  });

  const start = async (network: NetworkPolicy | null, script = SLEEP): Promise<string> => {
    const partition = bench.partition();
    used.push(partition);
    await bench.life.do({ kind: 'start', deadlineMonoMs: null, spec: bench.spec(partition, script, { network }) });
    return partition;
  };
  const connect = (partition: string, network: NetworkPolicy) => bench.life.do({ kind: 'connect', partition, network });
  const reaches = async (partition: string, address: string, port = PORT): Promise<boolean> =>
    (await bench.inside(partition, ['/bin/busybox', 'sh', '-c', `busybox nc -w 2 ${address} ${port} < /dev/null`])).ok;
  const asks = (host: string, port: number): string => `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 ${host} ${port}`;
  const fetches = async (partition: string, host: string, port = INSIDE_PORT): Promise<boolean> =>
    (await bench.inside(partition, ['/bin/busybox', 'sh', '-c', `${asks(host, port)} | busybox grep -q 200`])).ok;
  const tables = (): string => bench.net.onBoard(['nft', 'list', 'tables']).trim();
  const firstOf = (partition: string): unknown =>
    JSON.parse(readFileSync(`${bench.dataPath}/partitions/${partition}/state.json`, 'utf8')).first;

  it('is offered where the machine forwards', () => {
    expect(bench.life.enforcement.grants).toEqual(expect.arrayContaining(['links', 'internet', 'lan']));
    expect(bench.life.enforcement.publishes).toBe(true);
  });

  it('denies all that no rule names: the board under each of its addresses, its network, the world, its neighbours [network-3] [escape]', async () => {
    const [one, other] = [await start(null), await start(NOTHING, serve('other'))];
    await bench.report(other, 'up');
    for (const partition of [one, other]) {
      for (const address of ['fe80::1%eth0', ...Object.values(BOARD), ...Object.values(OUTSIDE)])
        expect(await reaches(partition, address), address).toBe(false);
      // Its own loopback is not the board's.
      expect(await reaches(partition, '127.0.0.1')).toBe(false);
    }
    expect(await reaches(one, addressOf(bench.board, other), INSIDE_PORT)).toBe(false);
    expect(board.heard).toEqual(['ready']);
  });

  it('lets pass what a rule names, and not the next address or port [network-5]', async () => {
    const partition = await start({ ...NOTHING, outbound: [tcp(OUTSIDE.v4), tcp('10.9.9.0/24'), tcp(`${OUTSIDE.v6}`)] });
    world.heard.length = 0;
    expect(await reaches(partition, OUTSIDE.v4)).toBe(true);
    expect(await reaches(partition, OUTSIDE.lan)).toBe(true);
    expect(await reaches(partition, OUTSIDE.v6)).toBe(true);
    await until(() => world.heard.length >= 3, 2_000);
    // Translated: the world sees the board.
    expect(world.heard).toEqual([`tcp ${BOARD.v4}`, `tcp ${BOARD.lan}`, `tcp ${BOARD.v6}`]);
    expect(await reaches(partition, OUTSIDE.other)).toBe(false);
    expect(await reaches(partition, OUTSIDE.v4, PORT + 1)).toBe(false);
    // The rule names the whole network, but the board is nobody's destination.
    expect(await reaches(partition, BOARD.lan)).toBe(false);
    expect(board.heard).toEqual(['ready']);
  });

  it("takes the Internet for what it is: without the networks that are the owner's", async () => {
    const partition = await start({ ...NOTHING, outbound: [tcp('internet')] });
    expect(await reaches(partition, OUTSIDE.v4)).toBe(true);
    expect(await reaches(partition, OUTSIDE.v6)).toBe(true);
    expect(await reaches(partition, OUTSIDE.lan)).toBe(false);
    expect(await reaches(partition, BOARD.v4)).toBe(false);
    expect(await reaches(partition, BOARD.v6)).toBe(false);
  });

  it('changes while the instance goes on, and at once', async () => {
    const partition = await start(NOTHING);
    const first = firstOf(partition);
    expect(await reaches(partition, OUTSIDE.v4)).toBe(false);
    await connect(partition, { ...NOTHING, outbound: [tcp(OUTSIDE.v4)] });
    expect(await reaches(partition, OUTSIDE.v4)).toBe(true);
    await connect(partition, NOTHING);
    expect(await reaches(partition, OUTSIDE.v4)).toBe(false);
    expect(firstOf(partition)).toEqual(first);
  });

  it('ends with a rule what was begun under it', async () => {
    const heard = (what: string): Promise<boolean> => until(() => world.heard.includes(`said ${what}`), 2_000);
    const waiting = (name: string): string => `while [ ! -e /data/${name} ]; do busybox sleep 0.05; done`;
    const talk = `(echo one; ${waiting('two')}; echo two; ${waiting('three')}; echo three; busybox sleep 3) | busybox nc ${OUTSIDE.v4} ${PORT}; ${SLEEP}`;
    const policy = { ...NOTHING, outbound: [tcp(OUTSIDE.v4)] };
    const partition = await start(policy, talk);
    const go = (name: string): void => writeFileSync(bench.data(partition, name), '');
    expect(await heard('one')).toBe(true);
    await connect(partition, { ...policy, outbound: [...policy.outbound, tcp(OUTSIDE.other)] });
    go('two');
    expect(await heard('two'), 'another rule changes nothing for it').toBe(true);
    await connect(partition, NOTHING);
    go('three');
    expect(await heard('three')).toBe(false);
  });

  it('ends with a published port who came in by it', async () => {
    const published = (outside: number) => ({ ...NOTHING, publish: [{ outside, inside: INSIDE_PORT, protocol: 'tcp' as const }] });
    const partition = await start(published(8000), `busybox sleep 1000 | busybox nc -l -p ${INSIDE_PORT} > /data/report; ${SLEEP}`);
    const flag = join(bench.directory, 'go');
    const talk = `(echo one; while [ ! -e ${flag} ]; do busybox sleep 0.05; done; echo two; busybox sleep 2) | busybox nc ${BOARD.v4} 8000`;
    const talking = new Promise<void>((resolve) => {
      const visitor = spawn('nsenter', ['-t', String(bench.net.worldPid), '-n', 'busybox', 'timeout', '20', 'sh', '-c', talk], {
        stdio: 'ignore',
      });
      visitor.once('exit', () => resolve());
    });
    expect(await bench.report(partition)).toBe('one\n');
    await connect(partition, published(8001));
    writeFileSync(flag, '');
    await talking;
    expect(await bench.report(partition)).toBe('one\n');
  });

  it('links two by name: one way, one port, for as long as it is said', async () => {
    const server = await start(null, serve('server'));
    await bench.report(server, 'up');
    const link = { name: 'db', partition: server, port: INSIDE_PORT, protocol: 'tcp' as const };
    const client = await start({ ...NOTHING, links: [link] }, serve('client'));
    await bench.report(client, 'up');
    expect(await fetches(client, 'db')).toBe(true);
    expect(await reaches(client, 'db', INSIDE_PORT + 1), 'another port').toBe(false);
    expect(await reaches(server, addressOf(bench.board, client), INSIDE_PORT), 'the other way').toBe(false);
    const third = await start(NOTHING);
    expect(await reaches(third, addressOf(bench.board, server), INSIDE_PORT), 'somebody else').toBe(false);
    await connect(client, NOTHING);
    expect(await fetches(client, 'db')).toBe(false);
    await connect(client, { ...NOTHING, links: [link] });
    expect(await fetches(client, 'db')).toBe(true);
  });

  it('finds the other end again after that was taken away and came back, under the address it had [network-7]', async () => {
    const server = await start(null, serve('server'));
    const link = { name: 'db', partition: server, port: INSIDE_PORT, protocol: 'tcp' as const };
    const client = await start({ ...NOTHING, links: [link] });
    await bench.report(server, 'up');
    expect(await fetches(client, 'db')).toBe(true);
    await bench.life.do({ kind: 'stop', partition: server, graceMs: 0 });
    await bench.life.do({ kind: 'remove', partition: server, data: true });
    // At once, though the namespace at its other end takes its time to die: what is left would pass for a link.
    expect((await bench.inside(client, ['/bin/busybox', 'ls', '/sys/class/net'])).detail).not.toMatch(/lk/);
    expect(await fetches(client, 'db')).toBe(false);
    const { address } = await bench.life.do({ kind: 'start', deadlineMonoMs: null, spec: bench.spec(server, serve('again')) });
    expect(address).toBe(addressOf(bench.board, server));
    await bench.report(server, 'up');
    expect(await fetches(client, 'db')).toBe(true);
  });

  it('publishes a port of the board, shows who asked, and takes it back', async () => {
    const publish = [{ outside: 8000, inside: INSIDE_PORT, protocol: 'tcp' as const }];
    const partition = await start({ ...NOTHING, publish }, serve('page'));
    await bench.report(partition, 'up');
    const get = (address: string): string =>
      bench.net
        .outside(['sh', '-c', asks(address, 8000)])
        .trim()
        .split('\n')
        .at(-1) ?? '';
    expect(get(BOARD.v4)).toBe('page');
    expect(get(BOARD.v6)).toBe('page');
    expect(await until(() => [OUTSIDE.v4, OUTSIDE.v6].every((who) => bench.log(partition).includes(who)), 2_000)).toBe(true);
    expect(await reaches(partition, OUTSIDE.v4), 'it may answer, not ask').toBe(false);
    await connect(partition, NOTHING);
    expect(() => get(BOARD.v4)).toThrow();
  });

  it('means by a DNS name what the board finds under it now, and lets the program find the same [network-6]', async () => {
    const setHosts = (address: string): void => void bench.net.onBoard(['sh', '-c', `echo "${address} world.example" > /etc/hosts`]);
    setHosts(OUTSIDE.v4);
    const partition = await start({ ...NOTHING, outbound: [tcp('world.example')] });
    expect(await reaches(partition, 'world.example')).toBe(true);
    expect(await reaches(partition, OUTSIDE.other)).toBe(false);
    setHosts(OUTSIDE.other);
    const moved = async (): Promise<boolean> => reaches(partition, OUTSIDE.other);
    await vi.waitUntil(moved, SETTLES);
    expect(await reaches(partition, 'world.example')).toBe(true);
    expect(await reaches(partition, OUTSIDE.v4), 'what it meant before is closed').toBe(false);
    // A name is no way into the owner's network.
    setHosts(OUTSIDE.lan);
    await vi.waitUntil(async () => !(await moved()), SETTLES);
    expect(await reaches(partition, OUTSIDE.lan)).toBe(false);
    setHosts('');
  });

  it('drops a datagram with a source that is not its own [network-4] [escape]', async () => {
    const partition = await start({ ...NOTHING, outbound: [udp(OUTSIDE.v6)] });
    const send = (from: string, text: string) =>
      bench.inside(partition, ['/usr/bin/perl', '-e', SEND, full(OUTSIDE.v6), String(PORT), from === '' ? '' : full(from), text]);
    world.heard.length = 0;
    expect(await send('', 'honest')).toMatchObject({ ok: true });
    for (const from of [OUTSIDE.v6, BOARD.v6, 'fd4c:6963:6865::1']) await send(from, `as-${from}`);
    await send('', 'last');
    await until(() => world.heard.some((line) => line.endsWith('last')), 2_000);
    expect(world.heard).toEqual([`udp ${BOARD.v6} honest`, `udp ${BOARD.v6} last`]);
  });

  it('refuses raw sockets, of packets and of the network [escape]', async () => {
    const partition = await start({ ...NOTHING, outbound: [tcp('internet')] });
    for (const [family, kind, protocol] of [
      [2, 3, 1],
      [10, 3, 58],
      [17, 3, 768],
      [2, 3, 255],
    ]) {
      const tried = await bench.inside(partition, [
        '/usr/bin/perl',
        '-e',
        `socket(my $s, ${family}, ${kind}, ${protocol}) ? print "open" : print "refused"`,
      ]);
      expect(tried, String(family)).toEqual({ ok: true, detail: expect.stringContaining('refused') });
    }
  });

  it('is asked by nobody in the board’s network, nor from a partition of another board on the machine', async () => {
    const partition = await start(NOTHING, serve('private'));
    await bench.report(partition, 'up');
    const address = addressOf(bench.board, partition);
    bench.net.outside(['ip', '-6', 'route', 'add', 'fd4c:6963:6865::/48', 'via', BOARD.v6]);
    expect(() => bench.net.outside(['sh', '-c', asks(address, INSIDE_PORT)])).toThrow();
    const other = new Bench({ name: 'crun', tier: 'best', uid: null, shares: bench.net });
    await other.open();
    try {
      const stranger = other.partition();
      const network = { ...NOTHING, lan: true, outbound: [tcp('fd00::/8', INSIDE_PORT), tcp(OUTSIDE.v4)] };
      await other.life.do({ kind: 'start', deadlineMonoMs: null, spec: other.spec(stranger, SLEEP, { network }) });
      const reached = (to: string, port: number) =>
        other.inside(stranger, ['/bin/busybox', 'sh', '-c', `busybox nc -w 1 ${to} ${port} < /dev/null`]);
      expect(tables().split('\n')).toHaveLength(2);
      expect(await reached(address, INSIDE_PORT)).toMatchObject({ ok: false });
      expect(await reached(OUTSIDE.v4, PORT), 'each has its own table').toMatchObject({ ok: true });
    } finally {
      await other.close();
    }
  });

  it('goes on while the runtime is killed, and the next life knows what was said', async () => {
    const server = await start(null, serve('server'));
    await bench.report(server, 'up');
    const link = { name: 'db', partition: server, port: INSIDE_PORT, protocol: 'tcp' as const };
    const policy = { ...NOTHING, outbound: [tcp(OUTSIDE.v4)], links: [link] };
    const partition = await start(policy);
    const rules = (): string => bench.net.onBoard(['nft', 'list', 'table', 'inet', boardName(bench.board)]);
    const before = rules();
    const life = await bench.restart(async () => expect(rules()).toBe(before));
    await life.do({ kind: 'survey' });
    expect(await reaches(partition, OUTSIDE.v4)).toBe(true);
    const another = await start({ ...NOTHING, outbound: [tcp(OUTSIDE.other)] });
    expect(await reaches(partition, OUTSIDE.v4), 'what one is told changes nothing for the others').toBe(true);
    expect(await reaches(another, OUTSIDE.other)).toBe(true);
    expect(await fetches(partition, 'db')).toBe(true);
    await connect(partition, policy);
    expect(await fetches(partition, 'db')).toBe(true);
  });

  it('meters what went over the link to within 1% of what came out at the other side, under starts and stops', async () => {
    const counted = (name: string): bigint =>
      BigInt(
        bench.net
          .outside(['cat', `/proc/net/dev`])
          .split('\n')
          .find((line) => line.includes('out0:'))
          ?.trim()
          .split(/\s+/)[name === 'rx' ? 1 : 9] ?? 0,
      );
    const upload = `busybox head -c 400000 /dev/zero | busybox nc -w 1 ${OUTSIDE.v4} ${PORT} > /dev/null; echo done > /data/report; ${SLEEP}`;
    const [rx, tx] = [counted('rx'), counted('tx')];
    let [billedOut, billedIn] = [0n, 0n];
    for (let round = 0; round < 4; round++) {
      const partition = await start({ ...NOTHING, outbound: [tcp(OUTSIDE.v4)] }, upload);
      for (let life = 0; life < 2; life++) {
        await bench.report(partition);
        writeFileSync(bench.data(partition, 'report'), '');
        const { counters } = await bench.life.do({ kind: 'stop', partition, graceMs: 0 });
        if (life === 0) {
          const spec = bench.spec(partition, upload, { network: { ...NOTHING, outbound: [tcp(OUTSIDE.v4)] } });
          await bench.life.do({ kind: 'start', deadlineMonoMs: null, spec });
        } else {
          billedOut += counters.netOutBytes;
          billedIn += counters.netInBytes;
        }
      }
    }
    const [out, back] = [Number(counted('rx') - rx), Number(counted('tx') - tx)];
    expect(out).toBeGreaterThan(8 * 400_000);
    expect(Math.abs(Number(billedOut) - out) / out).toBeLessThan(0.01);
    expect(Math.abs(Number(billedIn) - back) / back, `${billedIn} of ${back}`).toBeLessThan(0.01);
  });
};

const CAN = process.getuid?.() === 0 && busyboxPath() !== null;
const TOOLS = ['/usr/bin/crun', '/usr/bin/conmon', '/usr/sbin/nft', '/usr/bin/perl'];
if (CAN && TOOLS.every((path) => existsSync(path))) describe('the network of partitions', suite);
else
  describe('the network of partitions', () =>
    it.skip('needs root, and apt-get install crun conmon busybox-static nftables', () => undefined));
