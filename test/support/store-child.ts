/**
 * A process of its own around the LMDB store, for tests that watch or starve it from outside.
 * `acks PATH COUNT DURABLE`: a turn over the store whose released effects are lines on stdout.
 * `fill PATH`: commits until the disk is full, then goes on; one line of JSON per outcome. A line on stdin: there is room again.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openLmdbStore } from '../../runtime/adapters/lmdb-store.ts';
import type { Outcome, Store } from '../../runtime/turn/store.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import { startTurn } from '../../runtime/turn/turn.ts';

const [mode = '', path = '', count = '0', durable = 'true'] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);

const acks = (): void => {
  const store = openLmdbStore({ path, owner: 'child', durable: durable === 'true' });
  let left = Number(count);
  const next = (): void => (left-- > 0 ? turn.submit(left) : store.close());
  const turn = startTurn<number, string>({
    store,
    clock: { now: () => ({ wallMs: 0, monoMs: 0 }), after: () => () => {}, soon: (call) => void setImmediate(call) },
    core: {
      decide: (draft, event) => {
        draft.put(`row/${ordinal(event)}`, new Uint8Array(300).fill(event));
        draft.emit(`ack ${event}`);
      },
      refused: () => {},
      conclude: () => {},
    },
    release: (effect) => {
      say(effect);
      next();
    },
    owner: 'child',
    batch: 1,
    conflictsMax: 0,
    failed: (error) => say(error.message),
    defect: (thrown) => say(String(thrown)),
  });
  next();
};

const commit = (store: Store, key: string, value: Uint8Array | null): Outcome => {
  const outcomes: Outcome[] = [];
  store.commit({ writes: new Map([[key, value]]), expected: new Map(), owner: 'child' }, (outcome) => outcomes.push(outcome));
  return outcomes[0] ?? { kind: 'conflict' };
};

const told = (outcome: Outcome): string =>
  JSON.stringify(outcome.kind === 'failed' ? { kind: outcome.kind, code: outcome.error.code } : outcome);

const fill = async (): Promise<void> => {
  const store = openLmdbStore({ path, owner: 'child' });
  let written = 0;
  let outcome: Outcome = { kind: 'committed' };
  for (; outcome.kind === 'committed' && written < 1000; written++)
    outcome = commit(store, `row/${ordinal(written)}`, new Uint8Array(16_384).fill(7));
  say(told(outcome));
  say(told(commit(store, 'row/more', new Uint8Array(16_384))));
  const rows = (): number =>
    [...Array(written).keys()].filter((i) => {
      const row = store.snapshot().get(`row/${ordinal(i)}`);
      return typeof row !== 'symbol' && row.value !== null && row.value.length === 16_384 && row.value.every((byte) => byte === 7);
    }).length;
  say(JSON.stringify({ committed: written - 1, readable: rows() }));
  for await (const _line of createInterface({ input: process.stdin })) break;
  say(told(commit(store, 'row/more', new Uint8Array(16_384))));
  say(JSON.stringify({ committed: written - 1, readable: rows() }));
  store.close();
  process.exit(0);
};

if (mode === 'acks') acks();
else await fill();
