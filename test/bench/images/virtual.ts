/** One first start of the Arm image in emulation: from power to its runtime, to its gateway, and to what it leaves of 512 MiB when nothing goes on. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { genericArm64 } from '../../../firmware-images/boards/generic-arm64.ts';
import { freePorts } from '../../../sim/harness/ports.ts';
import { VIRT } from '../../board/hardware.ts';
import { putOn, testImage, writeCard } from '../../board/image.ts';
import { GATE, Machine } from '../../board/machine.ts';

const entry = join(import.meta.dirname, '../../../gateway/lichen.ts');
const LIMIT_MS = 300_000;
/** For what a start leaves to be over. */
const IDLE_S = 60;
const SECTOR = 512;
/** Boards that this image is for have four; this machine has two to play them with. */
const PROCESSORS = 2;

/** The shipped first process and all that it starts, and beside it one that looks once. */
const LOOKING = `mount -t tmpfs bench /mnt
cat /etc/inittab > /mnt/inittab
echo '::once:/bin/sh /mnt/look' >> /mnt/inittab
cat > /mnt/look << 'END'
while ! [ -e /run/lichen/said.home ]; do sleep 1; done
sleep ${IDLE_S}
{ echo; echo "bench: $(head -n 3 /proc/meminfo | tr '\\n' ' ')"; } > /dev/console
END
mount --bind /mnt/inittab /etc/inittab
exec /sbin/linuxrc
`;

interface Gateway {
  child: ChildProcess;
  port: number;
  claim: string;
}

const openGateway = async (folder: string): Promise<Gateway> => {
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, HOME: folder };
  const lichen = (...words: string[]): Record<string, string> =>
    JSON.parse(
      execFileSync(process.execPath, [entry, ...words, '--json'], { cwd: folder, env, encoding: 'utf8' })
        .trim()
        .split('\n')
        .at(-1) ?? '',
    );
  mkdirSync(join(folder, 'gateway'), { recursive: true });
  for (const key of ['root.key', 'gateway/gateway.key', 'owner.key']) lichen('key', 'new', key);
  const [port = 0] = await freePorts(1);
  const listed = `name=alpha,region=north,key=gateway/gateway.key,address=${GATE}:${port}`;
  lichen('operator', 'init', '--root', 'root.key', '--name', 'North', '--gateway', listed, '--out', 'operator-1.cose');
  const words = ['gateway', 'run', '--data', 'gateway', '--operator', 'operator-1.cose', '--listen', `127.0.0.1:${port}`];
  const child = spawn(process.execPath, [entry, ...words, '--api-listen', '127.0.0.1:0', '--json'], {
    ...{ cwd: folder, env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the gateway did not start')));
    createInterface({ input: child.stdout }).once('line', resolve);
  });
  const { apiPort } = JSON.parse(ready);
  Object.assign(env, {
    LICHEN_API: `http://127.0.0.1:${apiPort}`,
    LICHEN_TOKEN: readFileSync(join(folder, 'gateway/admin.token'), 'utf8'),
  });
  return { child, port, claim: lichen('board', 'claim', '--owner-key', 'owner.key').claim ?? '' };
};

export interface Virtual {
  nodeS: number;
  pairedS: number;
  idleRamMb: number;
}

/** A first start, so of another card and another fleet each time. */
export const startVirtual = async (home: string): Promise<Virtual> => {
  const folder = mkdtempSync(join(home, 'virtual-'));
  const at = (name: string): string => join(folder, name);
  const image = await testImage(genericArm64);
  const { child, port, claim } = await openGateway(folder);
  let machine: Machine | null = null;
  try {
    writeCard(image, at('card'));
    writeFileSync(at('lichen.json'), JSON.stringify({ claim, hostname: 'beech' }));
    putOn(at('card'), at('lichen.json'), 'lichen.json');
    const script = Buffer.from(LOOKING);
    writeFileSync(at('look'), Buffer.concat([script, Buffer.alloc(SECTOR - (script.length % SECTOR), '\n')]));
    const words = image.commandLine.split(' ').filter((word) => word !== 'console=tty0');
    const commandLine = [...words, 'init=/usr/bin/sh', '--', '/dev/vdb'];
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    machine = new Machine({
      ...{ hardware: VIRT, memoryMib: 512, processors: PROCESSORS, reaches: [port] },
      disks: [{ path: at('card') }, { path: at('look'), readonly: true }],
      direct: { ...image, commandLine: commandLine.join(' ') },
    });
    // Its first word: a line of JSON.
    await machine.line(/^\{"at"/, LIMIT_MS);
    const nodeS = seconds();
    await machine.line(/"line":"[^"]*at home/, LIMIT_MS);
    const pairedS = seconds();
    const meminfo = await machine.line(/bench: .*MemAvailable/, LIMIT_MS);
    const kib = (name: string): number => Number(new RegExp(`${name}: +(\\d+)`).exec(meminfo)?.[1]);
    return { nodeS, pairedS, idleRamMb: ((kib('MemTotal') - kib('MemAvailable')) * 1024) / 1e6 };
  } finally {
    await machine?.close();
    child.kill('SIGTERM');
  }
};
