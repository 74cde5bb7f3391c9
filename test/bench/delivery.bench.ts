/** An update of real things: bytes on the wire against what others send, and how fast it comes over lines of several kinds. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fanOut } from './delivery/fanout.ts';
import { growth } from './delivery/growth.ts';
import { updateBytes } from './delivery/ours.ts';
import { pairsIn } from './delivery/pairs.ts';
import { absentPeers, measuredBy, PEERS } from './delivery/peers.ts';
import { requestToPromise } from './delivery/request.ts';
import { street } from './delivery/street.ts';
import { type OverLine, overLine } from './delivery/throughput.ts';
import { type Measure, median, type Row } from './measure.ts';

const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

const alone = (metric: string, value: number, unit: string): Row => ({ metric, value, unit, peer: null, peerValue: null });

export const wire = async (home: string): Promise<Row[]> => {
  const rows: Row[] = [];
  let worst = 0;
  const scratch = join(home, 'scratch');
  mkdirSync(scratch);
  const { pairs, absent } = pairsIn(home);
  for (const { name, why } of absent) {
    say(`the update "${name}" is left out: ${why}`);
    rows.push(alone(name, Number.NaN, 'bytes'));
  }
  for (const name of absentPeers()) say(`${name} is not installed; its column is left out`);
  for (const pair of pairs) {
    const { bytes, chunks, pages } = await updateBytes(pair, scratch);
    for (const peer of PEERS) {
      const peerValue = measuredBy(peer, pair, scratch);
      if (peerValue === null) continue;
      if (peer.chunks) worst = Math.max(worst, bytes / peerValue);
      rows.push({ metric: pair.name, value: bytes, unit: 'bytes', peer: peer.name, peerValue });
    }
    rows.push(alone(`${pair.name}: chunks`, chunks, 'chunks'), alone(`${pair.name}: pages`, pages, 'pages'));
  }
  // Without a peer, or all of the pairs, there is nothing to hold it against, and the harness says so.
  return [...rows, alone('wire_vs_best_chunk_peer_max', worst === 0 || absent.length > 0 ? Number.NaN : worst, '×')];
};

const FAR = { bitsPerS: 20_000_000, oneWayMs: 100 };
/** Long enough that its first seconds do not count. Which packets are lost is chance, so that is done several times. */
const WHOLE_MIB = 100;
const LOSSY_MIB = 8;
const LOSSY_RUNS = 3;

const lines = async (): Promise<Row[]> => {
  const whole = await overLine({ ...FAR, lossPermille: 0 }, WHOLE_MIB);
  const losses: OverLine[] = [];
  for (let run = 0; run < LOSSY_RUNS; run++) losses.push(await overLine({ ...FAR, lossPermille: 10 }, LOSSY_MIB));
  const lossy = { ours: median(losses.map(({ ours }) => ours)), bare: median(losses.map(({ bare }) => bare)) };
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
  const { ours, pressed, bare, ackWaitMsMax } = await fanOut(BOARDS, FAN_SECONDS);
  const pair = (metric: string, unit: string, value: number, peerValue: number): Row => ({
    ...{ metric, value: value / 1e6, unit, peer: 'a bare TLS server', peerValue: peerValue / 1e6 },
  });
  return [
    pair(`to ${BOARDS} boards at once`, 'MB/s', ours.bytesPerS, bare.bytesPerS),
    pair('the same, of the server alone', 'MB/s of its processor', ours.bytesPerCpuS, bare.bytesPerCpuS),
    alone('fanout_vs_bare_tls', ours.bytesPerS / bare.bytesPerS, '×'),
    alone('fanout_vs_bare_tls, five times as many records', pressed.bytesPerS / bare.bytesPerS, '×'),
    alone('fanout_vs_bare_tls_by_processor', ours.bytesPerCpuS / bare.bytesPerCpuS, '×'),
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

/** When V8 collects decides about megabytes, so that one run says little. */
const GROWTH_RUNS = 5;

const grown = async (): Promise<Row[]> => {
  const runs: Awaited<ReturnType<typeof growth>>[] = [];
  for (let run = 0; run < GROWTH_RUNS; run++) runs.push(await growth(RECEIVED_MIB));
  return [
    alone('board_growth_mb', median(runs.map(({ grewMb }) => grewMb)), 'MB'),
    alone('the most of them', Math.max(...runs.map(({ grewMb }) => grewMb)), 'MB'),
    alone("of it the board's own and no file's", median(runs.map(({ grewAnonymousMb }) => grewAnonymousMb)), 'MB'),
    alone('received by one board on a way that is no hindrance', median(runs.map(({ mbPerS }) => mbPerS)), 'MB/s'),
  ];
};

const STREET_BOARDS = 10;
const STREET_MIB = 8;

const shared = async (): Promise<Row[]> => {
  const alone_ = await street(STREET_BOARDS, STREET_MIB, false);
  const together = await street(STREET_BOARDS, STREET_MIB, true);
  const each = 'each by itself';
  return [
    {
      metric: `gateway to ${STREET_BOARDS} boards of one network`,
      value: together.gatewayBytes,
      unit: 'bytes',
      peer: each,
      peerValue: alone_.gatewayBytes,
    },
    alone('street_releases_sent', together.gatewayBytes / together.releaseBytes, '×'),
    { metric: 'until all of them hold it', value: together.seconds, unit: 's', peer: each, peerValue: alone_.seconds },
  ];
};

/** What could not be measured here is named, and all else still is; each part is told when it is done, as the whole takes long. */
const unless = async (metrics: string[], part: () => Promise<Row[]>): Promise<Row[]> => {
  try {
    const rows = await part();
    for (const { metric, value, unit, peer, peerValue } of rows)
      say(`${metric}: ${value} ${unit}${peer === null ? '' : `; ${peer}: ${peerValue}`}`);
    return rows;
  } catch (thrown) {
    say(thrown instanceof Error ? thrown.message : String(thrown));
    return metrics.map((metric) => alone(metric, Number.NaN, ''));
  }
};

export const measure: Measure = async () => {
  const home = mkdtempSync(join(tmpdir(), 'lichen-delivery-'));
  try {
    const rows = await unless(['wire_vs_best_chunk_peer_max'], () => wire(home));
    rows.push(...(await unless(['link_utilisation', 'lossy_link_vs_bare_tls'], lines)));
    rows.push(...(await unless(['request_to_promise_overhead_ms'], prompt)));
    rows.push(...(await unless(['fanout_vs_bare_tls', 'ack_wait_ms_max'], fan)));
    rows.push(...(await unless(['street_releases_sent'], shared)));
    return [...rows, ...(await unless(['board_growth_mb'], grown))];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
