/** A board in QEMU, in software: what it says on its serial line is an event, and nothing here waits for time to pass. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as breathe } from 'node:timers/promises';
import { type Direct, type Hardware, PC } from './hardware.ts';

export interface MachineOptions {
  /** Raw disks in their order; the first is the board's own and is written to. */
  disks: { path: string; readonly?: boolean }[];
  memoryMib?: number;
  /** One, if nothing is said: others run on this machine, too. */
  processors?: number;
  /** Seconds are saved where the firmware is not what is looked at. */
  direct?: Direct;
  /** A PC, if nothing is said. */
  hardware?: Hardware;
  /** It starts again when the board says so, instead of ending. */
  reboots?: boolean;
  /** TCP ports of this machine's loopback that the board reaches at GATE; it reaches nothing else. */
  reaches?: number[];
  /** TCP ports of the board, each on a port of this machine's loopback. */
  shows?: { port: number; at: number }[];
  /** No network at all. */
  alone?: boolean;
  /** Sticks can be plugged in. */
  plugs?: boolean;
  /** What its clock says at the start, as ISO 8601; else the time of this machine. */
  clock?: string;
  /** Besides all this, as QEMU's `-device` has them. */
  devices?: string[];
}

/** The host as the board sees it. */
export const GATE = '10.0.2.100';

/** `restrict`: no way out but the ports that are named. */
const wireTo = (ports: number[], shows: Required<MachineOptions>['shows']): string =>
  [
    'user,id=wire,restrict=on',
    ...ports.map((port) => `guestfwd=tcp:${GATE}:${port}-cmd:busybox nc 127.0.0.1 ${port}`),
    ...shows.map(({ port, at }) => `hostfwd=tcp:127.0.0.1:${at}-:${port}`),
  ].join(',');

export class Machine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lichen-machine-'));
  readonly #child: ChildProcess;
  readonly #said: string[] = [];
  readonly #watchers = new Set<() => void>();
  #over = false;

  constructor(options: MachineOptions) {
    const {
      disks,
      memoryMib = 1024,
      processors = 1,
      direct,
      hardware = PC,
      reboots = false,
      reaches = [],
      shows = [],
      alone = false,
      plugs = false,
      clock,
      devices = [],
    } = options;
    const stalls = reboots ? hardware.stalls : undefined;
    const monitorPath = plugs || stalls !== undefined ? this.#monitorPath : null;
    const wire = alone ? null : wireTo(reaches, shows);
    const wanted = { disks, memoryMib, processors, direct, reboots, clock, devices, folder: this.#folder, wire, monitorPath };
    this.#child = spawn(hardware.emulator, hardware.arguments(wanted), { stdio: ['ignore', 'pipe', 'pipe'] });
    const wake = (): void => {
      for (const look of this.#watchers) look();
    };
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#said.push(line.trimEnd());
        if (process.env.LICHEN_SERIAL !== undefined) process.stderr.write(`${line}\n`);
        if (stalls?.test(line)) this.#order('system_reset').catch((error: unknown) => this.#said.push(String(error)));
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

  /** The first line that matches, or a later one of them, said already or yet to come. Rejects when the machine ends or the time is over. */
  line(pattern: RegExp, limitMs: number, which = 1): Promise<string> {
    return this.#until(() => this.#said.filter((line) => pattern.test(line))[which - 1] ?? null, `no line ${pattern}`, limitMs);
  }

  ended(limitMs: number): Promise<true> {
    return this.#until(() => (this.#over ? true : null), 'it did not end', limitMs);
  }

  /** A disk that hangs on USB, until it is pulled out. */
  async plugIn(path: string): Promise<void> {
    await this.#order(`drive_add 0 if=none,id=stick,format=raw,file=${path}`);
    await this.#order('device_add usb-storage,drive=stick,id=stick');
  }

  /** Without a word to the board. What it wrote is on the disk. */
  async pullOut(): Promise<void> {
    await this.#order('device_del stick');
  }

  /** As when the plug is pulled. */
  async close(): Promise<void> {
    if (!this.#over) {
      this.#child.kill('SIGKILL');
      await this.ended(10_000);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** How much it has written so far, most of it to its disks (proc(5), `wchar`). */
  get writtenBytes(): number {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${this.#child.pid}/io`, 'latin1'))?.[1]);
  }

  /** What its disks hold while it stands still is what they would hold if the plug were pulled. */
  async still(work: () => void): Promise<void> {
    const pid = this.#child.pid ?? 0;
    const stands = (): boolean =>
      readdirSync(`/proc/${pid}/task`).every((task) => /\) T /.test(readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1')));
    this.#child.kill('SIGSTOP');
    try {
      while (!stands()) await breathe();
      work();
    } finally {
      this.#child.kill('SIGCONT');
    }
  }

  get #monitorPath(): string {
    return join(this.#folder, 'monitor');
  }

  /** Answered when it asks for the next one. */
  #order(words: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#monitorPath);
      let [heard, told] = ['', false];
      socket.setEncoding('utf8').on('data', (text: string) => {
        heard += text;
        const prompts = heard.split('(qemu) ').length - 1;
        // Each letter of it is echoed.
        if (prompts === 1 && !told) socket.write(`${words}\n`);
        told = prompts > 0;
        if (prompts < 2) return;
        socket.destroy();
        const complaint = heard.split('\n').find((line) => /^(?:Error|Could not|.*invalid)/i.test(line));
        if (complaint === undefined) resolve();
        else reject(new Error(`${words}: ${complaint.trim()}`));
      });
      socket.on('error', reject);
    });
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
