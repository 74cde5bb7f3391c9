/** Bytes on the wire for an update of real things, against what others send for the same two versions. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { updateBytes } from './delivery/ours.ts';
import { pairsIn } from './delivery/pairs.ts';
import { measuredBy, PEERS } from './delivery/peers.ts';
import type { Measure, Row } from './measure.ts';

export const measure: Measure = async () => {
  const home = mkdtempSync(join(tmpdir(), 'lichen-delivery-'));
  const rows: Row[] = [];
  let worst = 0;
  try {
    const scratch = join(home, 'scratch');
    mkdirSync(scratch);
    for (const pair of pairsIn(home)) {
      const { bytes, chunks, pages } = await updateBytes(pair, scratch);
      for (const peer of PEERS) {
        const peerValue = measuredBy(peer, pair, scratch);
        if (peerValue !== null && peer.chunks) worst = Math.max(worst, bytes / peerValue);
        rows.push({ metric: pair.name, value: bytes, unit: 'bytes', peer: peerValue === null ? null : peer.name, peerValue });
      }
      rows.push({ metric: `${pair.name}: chunks`, value: chunks, unit: 'chunks', peer: null, peerValue: null });
      rows.push({ metric: `${pair.name}: pages`, value: pages, unit: 'pages', peer: null, peerValue: null });
    }
    // Without a peer there is nothing to hold it against, and the harness says so.
    return [
      ...rows,
      { metric: 'wire_vs_best_chunk_peer_max', value: worst === 0 ? Number.NaN : worst, unit: '×', peer: null, peerValue: null },
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
