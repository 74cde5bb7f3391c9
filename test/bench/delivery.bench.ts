/** An update of real things: bytes on the wire against what others send, and how fast it comes over lines of several kinds. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fanOut } from './delivery/fanout.ts';
import { growth } from './delivery/growth.ts';
import { updateBytes } from './delivery/ours.ts';
import { pairsIn } from './delivery/pairs.ts';
import { measuredBy, PEERS } from './delivery/peers.ts';
import { requestToPromise } from './delivery/request.ts';
import { overLine } from './delivery/throughput.ts';
import type { Measure, Row } from './measure.ts';

const alone = (metric: string, value: number, unit: string): Row => ({ metric, value, unit, peer: null, peerValue: null });

const wire = async (home: string): Promise<Row[]> => {
  const rows: Row[] = [];
  let worst = 0;
  const scratch = join(home, 'scratch');
  mkdirSync(scratch);
  for (const pair of pairsIn(home)) {
    const { bytes, chunks, pages } = await updateBytes(pair, scratch);
    for (const peer of PEERS) {
      const peerValue = measuredBy(peer, pair, scratch);
      if (peerValue !== null && peer.chunks) worst = Math.max(worst, bytes / peerValue);
      rows.push({ metric: pair.name, value: bytes, unit: 'bytes', peer: peerValue === null ? null : peer.name, peerValue });
    }
    rows.push(alone(`${pair.name}: chunks`, chunks, 'chunks'), alone(`${pair.name}: pages`, pages, 'pages'));
  }
  // Without a peer there is nothing to hold it against, and the harness says so.
  return [...rows, alone('wire_vs_best_chunk_peer_max', worst === 0 ? Number.NaN : worst, '×')];
};

const FAR = { bitsPerS: 20_000_000, oneWayMs: 100 };
/** Long enough that its first seconds do not count; where packets are lost, as long as patience allows. */
const WHOLE_MIB = 30;
const LOSSY_MIB = 4;

const lines = async (): Promise<Row[]> => {
  const whole = await overLine({ ...FAR, lossPermille: 0 }, WHOLE_MIB);
  const lossy = await overLine({ ...FAR, lossPermille: 10 }, LOSSY_MIB);
  const pair = (metric: string, { ours, bare }: { ours: number; bare: number }): Row => ({
    ...{ metric, value: ours / 1e6, unit: 'Mbit/s', peer: 'a bare TLS stream', peerValue: bare / 1e6 },
  });
  return [
    pair('20 Mbit/s, 200 ms there and back', whole),
    pair('the same, one packet of a hundred lost', lossy),
    alone('link_utilisation', whole.ours / FAR.bitsPerS, '×'),
    alone('lossy_link_vs_bare_tls', lossy.ours / lossy.bare, '×'),
  ];
};

const BOARDS = 500;
const FAN_SECONDS = 8;

const fan = async (): Promise<Row[]> => {
  const { ours, bare, ackWaitMsMax } = await fanOut(BOARDS, FAN_SECONDS);
  return [
    { metric: `to ${BOARDS} boards at once`, value: ours / 1e6, unit: 'MB/s', peer: 'a bare TLS server', peerValue: bare / 1e6 },
    alone('fanout_vs_bare_tls', ours / bare, '×'),
    alone('ack_wait_ms_max', ackWaitMsMax, 'ms'),
  ];
};

const prompt = async (): Promise<Row[]> => {
  const { ms, floorMs, syncs } = await requestToPromise();
  return [
    { metric: 'request accepted to promise held', value: ms, unit: 'ms', peer: 'crun and conmon by a shell', peerValue: floorMs },
    alone('request_to_promise_overhead_ms', ms - floorMs, 'ms'),
    alone('syncs on the way, gateway and board', syncs, 'calls'),
  ];
};

const RECEIVED_MIB = 200;

export const measure: Measure = async () => {
  const home = mkdtempSync(join(tmpdir(), 'lichen-delivery-'));
  try {
    const rows = [...(await wire(home)), ...(await lines()), ...(await prompt()), ...(await fan())];
    return [...rows, alone('board_growth_mb', (await growth(RECEIVED_MIB)).grewMb, 'MB')];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
