/** Promises that are asked over the network, from wherever the instance's address can be reached. */
import { get } from 'node:http';
import { connect } from 'node:net';
import type { Probe } from '../../ports/partitions.ts';
import type { Probed } from './backend.ts';

type NetworkProbe = Exclude<Probe, { kind: 'exec' }>;

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

/** What an exec probe is told: the status, and the end of what the program said. */
export const probedExec = (code: number | null, said: string, timedOut: boolean, timeoutMs: number): Probed => {
  const words = said.trim().slice(-200);
  const how = timedOut ? `no end in ${timeoutMs} ms` : `status ${code ?? 'unknown'}`;
  return { ok: !timedOut && code === 0, detail: words === '' ? how : `${how}: ${words}` };
};
