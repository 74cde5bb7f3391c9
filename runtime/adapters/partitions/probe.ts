/** Promises that are asked over the network, from wherever the instance's address can be reached. */
import { get } from 'node:http';
import { connect } from 'node:net';
import type { Probe } from '../../ports/partitions.ts';
import { readInside } from './inside.ts';
import { type Probed, probedNumber } from './probed.ts';
import type { ProcessId } from './state.ts';

export type FileProbe = Extract<Probe, { kind: 'file' | 'value' }>;
export type ProgramProbe = Extract<Probe, { kind: 'exec' | 'reading' }>;
type NetworkProbe = Extract<Probe, { kind: 'http' | 'tcp' }>;
/** What an engine has to be asked for. */
export type AskedProbe = NetworkProbe | ProgramProbe;

/** A redirect is not followed: it would let an instance choose whom the board asks. */
const http = (address: string, port: number, path: string, timeoutMs: number): Promise<Probed> =>
  new Promise((resolve) => {
    const request = get({ host: address, port, path, agent: false, headers: { connection: 'close' } }, (response) => {
      const status = response.statusCode ?? 0;
      response.destroy();
      end({ ok: status >= 200 && status < 300, detail: `status ${status}` });
    });
    const timer = setTimeout(() => end({ ok: false, detail: `no answer in ${timeoutMs} ms` }), timeoutMs);
    const end = (probed: Probed): void => {
      clearTimeout(timer);
      request.destroy();
      resolve(probed);
    };
    request.on('error', (error) => end({ ok: false, detail: error.message }));
  });

const tcp = (address: string, port: number, timeoutMs: number): Promise<Probed> =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const timer = setTimeout(() => end({ ok: false, detail: `no connection in ${timeoutMs} ms` }), timeoutMs);
    const end = (probed: Probed): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(probed);
    };
    socket.on('connect', () => end({ ok: true, detail: 'connected' }));
    socket.on('error', (error) => end({ ok: false, detail: error.message }));
  });

export const probeNetwork = (address: string, probe: NetworkProbe, timeoutMs: number): Promise<Probed> =>
  probe.kind === 'http' ? http(address, probe.port, probe.path, timeoutMs) : tcp(address, probe.port, timeoutMs);

/** A sensor says one number. */
const VALUE_BYTES = 4_096;

/** `wallMs`: by the clock that dates files. */
export const probeFile = (first: ProcessId | null, probe: FileProbe, wallMs: number): Probed => {
  const found = readInside(first, probe.path, VALUE_BYTES);
  if (found === null) return { ok: false, detail: `there is no file ${probe.path}` };
  if (probe.kind === 'value') return probedNumber(found.text, probe);
  const ageMs = Math.round(wallMs - found.stat.mtimeMs);
  // What is dated ahead, by a clock that was set back or by its writer, says nothing about now.
  const ok = Math.abs(ageMs) <= probe.maxAgeMs;
  return { ok, detail: ageMs < 0 ? `dated ${-ageMs} ms ahead` : `${ageMs} ms old` };
};

interface ProgramRan {
  code: number | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

/** What is told of a program that was run inside: the status, and the end of what it said; of a reading, the number. */
export const probedProgram = (probe: ProgramProbe, { code, stdout, stderr, timedOut }: ProgramRan, timeoutMs: number): Probed => {
  const ok = !timedOut && code === 0;
  if (ok && probe.kind === 'reading') return probedNumber(stdout, probe);
  const words = (stderr || stdout).trim().slice(-200).toWellFormed();
  const how = timedOut ? `no end in ${timeoutMs} ms` : `status ${code ?? 'unknown'}`;
  return { ok, detail: words === '' ? how : `${how}: ${words}` };
};
