/** A board in QEMU, in software: what it says on its serial line is an event, and nothing here waits for time to pass. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface MachineOptions {
  /** Raw disks in their order; the first is the board's own and is written to. */
  disks: { path: string; readonly?: boolean }[];
  memoryMib?: number;
  /** Started by the machine itself, without firmware: seconds are saved where these are not what is looked at. */
  direct?: { kernelPath: string; firstPath: string; commandLine: string };
  /** TCP ports of this machine's loopback that the board reaches at GATE; it reaches nothing else. */
  reaches?: number[];
}

/** The host as the board sees it. */
export const GATE = '10.0.2.100';
const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';

const withFirmware = (folder: string): string[] => {
  execFileSync('cp', [VARIABLES, join(folder, 'variables')]);
  return [
    ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}`],
    ...['-drive', `if=pflash,format=raw,unit=1,file=${join(folder, 'variables')}`],
  ];
};

/**
 * What Debian and Node need, and no more: what is wider than 128 bits is emulated by slow helpers, and programs choose it where it is.
 * By AMD, so that the kernel guards against nothing that only Intel's suffer from.
 */
const PROCESSOR = 'Nehalem,vendor=AuthenticAMD';

/** One processor: with two, QEMU 7.2 now and then runs a kernel's breakpoint that was taken away already, and the kernel panics. */
const argumentsOf = ({ disks, memoryMib = 1024, direct, reaches = [] }: MachineOptions, folder: string): string[] => [
  ...['-nodefaults', '-display', 'none', '-no-reboot', '-machine', 'q35', '-accel', 'tcg', '-cpu', PROCESSOR],
  ...['-m', String(memoryMib), '-serial', 'stdio', '-serial', `file:${join(folder, 'result')}`, '-device', 'virtio-rng-pci'],
  ...disks.flatMap(({ path, readonly }) => [
    '-drive',
    `if=virtio,format=raw,cache=unsafe,file=${path}${readonly === true ? ',readonly=on' : ''}`,
  ]),
  ...['-device', 'virtio-net-pci,netdev=wire'],
  '-netdev',
  // `restrict`: no way out but the ports that are named.
  ['user,id=wire,restrict=on', ...reaches.map((port) => `guestfwd=tcp:${GATE}:${port}-cmd:busybox nc 127.0.0.1 ${port}`)].join(','),
  ...(direct === undefined
    ? withFirmware(folder)
    : ['-kernel', direct.kernelPath, '-initrd', direct.firstPath, '-append', direct.commandLine]),
];

export class Machine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lichen-machine-'));
  readonly #child: ChildProcess;
  readonly #said: string[] = [];
  readonly #watchers = new Set<() => void>();
  #over = false;

  constructor(options: MachineOptions) {
    this.#child = spawn('qemu-system-x86_64', argumentsOf(options, this.#folder), { stdio: ['ignore', 'pipe', 'pipe'] });
    const wake = (): void => {
      for (const look of this.#watchers) look();
    };
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#said.push(line.trimEnd());
        if (process.env.LICHEN_SERIAL !== undefined) process.stderr.write(`${line}\n`);
        wake();
      });
    }
    this.#child.once('close', () => {
      this.#over = true;
      wake();
    });
    this.#child.once('error', (error) => this.#said.push(error.message));
  }

  /** Everything it said, for the message of a test that fails. */
  get transcript(): string {
    return this.#said.join('\n');
  }

  /** What was written to the second serial line. */
  get result(): string {
    return readFileSync(join(this.#folder, 'result'), 'utf8');
  }

  /** The first line that matches, said already or yet to come. Rejects when the machine ends or the time is over. */
  line(pattern: RegExp, limitMs: number): Promise<string> {
    return this.#until(() => this.#said.find((line) => pattern.test(line)) ?? null, `no line ${pattern}`, limitMs);
  }

  ended(limitMs: number): Promise<true> {
    return this.#until(() => (this.#over ? true : null), 'it did not end', limitMs);
  }

  /** As when the plug is pulled. */
  async close(): Promise<void> {
    if (!this.#over) {
      this.#child.kill('SIGKILL');
      await this.ended(10_000);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #until<Found>(look: () => Found | null, what: string, limitMs: number): Promise<Found> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
        settle();
      };
      const fail = (why: string): void => end(() => reject(new Error(`${what}: ${why}; the board said:\n${this.transcript}`)));
      const timer = setTimeout(() => fail(`${limitMs} ms are over`), limitMs);
      const check = (): void => {
        const found = look();
        if (found !== null) end(() => resolve(found));
        else if (this.#over) fail('the machine has ended');
      };
      this.#watchers.add(check);
      check();
    });
  }
}
