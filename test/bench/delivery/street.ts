/** What a gateway sends to boards of one network that get the same release at once, with what they give each other and without. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openLinkProxy } from '../../../sim/harness/proxy.ts';
import { until } from '../../../sim/harness/wait.ts';
import { type Child, Stage } from './stage.ts';

const TIMEOUT_MS = 240_000;
/** Both runs on the same machine, one after the other; no board finds those of the other. */
const LAN_PORT = 28_990;

export interface Street {
  /** From the gateway to all boards, TLS and MQTT included. */
  gatewayBytes: number;
  /** From the request until all of them hold the release. */
  seconds: number;
  releaseBytes: number;
}

export const street = async (boards: number, mebibytes: number, shares: boolean): Promise<Street> => {
  const stage = new Stage('127.0.0.1', shares ? 28_960 : 28_970);
  const link = await openLinkProxy();
  const children: Child[] = [];
  try {
    await stage.open();
    const words = ['--proxy', `127.0.0.1:${link.port}`, '--neighbours', shares ? String(LAN_PORT) : 'off'];
    const data: string[] = [];
    for (let i = 0; i < boards; i++) {
      const board = await stage.board(`board ${i} ${shares}`, [], 'dev', words);
      children.push(board.child);
      data.push(board.data);
    }
    const payload = stage.payload('shared', mebibytes * 1024 * 1024);
    await stage.pushPayload(payload);
    const before = link.receivedBytes();
    const began = await stage.request('shared', payload, { replicas: boards });
    const held = (path: string): boolean => existsSync(join(path, 'files', payload.file.slice(0, 2), payload.file));
    await until('all boards to hold the release', TIMEOUT_MS, () => data.every(held));
    const seconds = (performance.now() - began) / 1000;
    return { gatewayBytes: link.receivedBytes() - before, seconds, releaseBytes: payload.bytes };
  } finally {
    await Promise.all(children.map((child) => child.end()));
    link.close();
    await stage.close();
  }
};
