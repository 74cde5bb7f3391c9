import { describe, expect, it } from 'vitest';
import { encode } from '../../../runtime/protocol/cbor.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { entryBytes, type LogEntry, type PeerFrame, peerFrame } from '../../../runtime/protocol/nouns/log.ts';
import { want } from '../../../runtime/protocol/nouns/messages.ts';
import { idOf } from '../../support/federation.ts';
import { Day } from './day.ts';

const NOTHING = { memory: false, cpu: false, pids: false, network: false, disk: false, deadline: false };
const ALL = { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: true };
const HAVE = encodeAs(peerFrame, { kind: 'have', vector: {}, cosigned: null }, 'frame');

describe('an offer', () => {
  it('may be less than the kernel enforces', () => {
    const day = new Day();
    day.board('board 1').hello('gateway a', { tier: 'dev', enforces: NOTHING });
    expect(day.found).toEqual([]);
  });

  it.each([
    ['over-offered: a limit', { tier: 'full', ...ALL, disk: false }],
    ['over-offered: that it ends what has to be over', { tier: 'full', ...ALL, deadline: false }],
    ['over-offered: a tier', { tier: 'reduced', ...ALL }],
    ['over-offered: a device', { tier: 'full', grants: ['links'], ...ALL }],
  ])('%s', (_name, enforces) => {
    const day = new Day();
    day.board('board 1', enforces);
    expect(day.codes).toEqual(['over-offered']);
  });
});

describe('the wire', () => {
  it('carries what keeps limits and schemas', () => {
    const day = new Day();
    const board = day.board('board 1');
    board.assign([]).report().ack(0, 0);
    board.say('want', encodeAs(want, { v: 1, hashes: [] }, 'want')).say('gone', encode({ v: 1 }));
    day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), 'peer have', HAVE);
    expect(day.found).toEqual([]);
  });

  it.each(['report', 'usage', 'want', 'hello'])('malformed-on-wire: %s', (topic) => {
    const day = new Day();
    day.board('board 1').say(topic, encode({ v: 2 }));
    expect(day.codes).toEqual(['malformed-on-wire']);
  });

  it.each(['now', 'desired', 'ack', 'chunk'])('malformed-on-wire: %s', (topic) => {
    const day = new Day();
    day.board('board 1').hear(topic, encode({ v: 2 }));
    expect(day.codes).toEqual(['malformed-on-wire']);
  });

  it('malformed-on-wire: a batch with something else among its records', () => {
    const day = new Day();
    day.board('board 1').say('usage', encode({ v: 1, records: [new Uint8Array(9)] }));
    expect(day.codes).toEqual(['malformed-on-wire']);
  });

  it('malformed-on-wire: a peer frame, or no topic at all', () => {
    const day = new Day();
    day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), 'peer have', encode({ kind: 'give' }));
    day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), 'gossip', HAVE);
    expect(day.judge.violations.map(({ code, who }) => `${code} ${who.split(' ')[1]}`)).toEqual([
      'malformed-on-wire peer',
      'malformed-on-wire gossip',
    ]);
  });

  it.each<[string, PeerFrame]>([
    ['an entry', { kind: 'entries', author: idOf('gateway a'), from: 0, entries: [new Uint8Array(9)], head: 'head' }],
    ['a renewal', { kind: 'renew', renewal: new Uint8Array(9) }],
    ['a grant', { kind: 'grant', board: idOf('board 1'), grant: new Uint8Array(9) }],
  ])('malformed-on-wire: a peer frame with something else for %s', (_name, frame) => {
    const day = new Day();
    day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), `peer ${frame.kind}`, encodeAs(peerFrame, frame, 'frame'));
    expect(day.codes).toEqual(['malformed-on-wire']);
  });

  it('carries entries, each as it stands in a log', () => {
    const day = new Day();
    const entry: LogEntry = { v: 1, author: idOf('gateway a'), seq: 0, wallMs: 0, kind: 'usage', body: new Uint8Array(9) };
    const frame: PeerFrame = { kind: 'entries', author: entry.author, from: 0, entries: [entryBytes(entry)], head: 'head' };
    day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), 'peer entries', encodeAs(peerFrame, frame, 'frame'));
    expect(day.found).toEqual([]);
  });

  it('looks into the first frames of each kind, however many of another one came before', () => {
    const day = new Day({ schemaEvery: 1_000_000 });
    for (let i = 0; i < 100; i++) day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), 'peer have', HAVE);
    day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), 'peer want', encode({ kind: 'want', hashes: [new Uint8Array(1)] }));
    expect(day.codes).toEqual(['malformed-on-wire']);
  });

  it('is not held against a liar', () => {
    const day = new Day();
    day.judge.lies(0, idOf('gateway a'));
    day.judge.heard(0, idOf('gateway a'), idOf('gateway b'), 'peer have', encode({ kind: 'give' }));
    expect(day.found).toEqual([]);
  });

  it.each([
    ['report', 128 * 1024],
    ['usage', 64 * 1024],
    ['want', 8 * 1024],
    ['peer entries', 1024 * 1024],
  ])('too-large-on-wire: %s', (topic, limit) => {
    const codes = (bytes: number): string[] => {
      const day = new Day({ schemaEvery: 1_000_000 });
      const board = day.board('board 1');
      board.say(topic, new Uint8Array(bytes));
      return day.codes;
    };
    expect(codes(limit)).not.toContain('too-large-on-wire');
    expect(codes(limit + 1)).toContain('too-large-on-wire');
  });

  it('looks into some of what it need not read', () => {
    const day = new Day({ schemaEvery: 50 });
    const board = day.board('board 1');
    for (let i = 0; i < 20; i++) board.report();
    for (let i = 0; i < 20; i++) board.say('report', new Uint8Array(1));
    expect(day.found).toEqual([]);
    for (let i = 0; i < 20; i++) board.say('report', new Uint8Array(1));
    expect(day.codes).toEqual(['malformed-on-wire']);
  });
});

describe('a journal', () => {
  it.each([
    'desired refused: stale: assignment 3 is known, this is 2',
    'lease refused: no-room: lease x is over what this board offers',
    'request for abc refused: unrequested: the tenant asked for another release',
    'gateway gateway-a: unavailable: the connection was refused',
    'instance abc: exit 1',
  ])('acquitted: %s', (line) => {
    const day = new Day();
    day.judge.noted(0, 'board', line);
    expect(day.found).toEqual([]);
  });

  it.each([
    ['refusal-without-reason', 'desired refused'],
    ['refusal-without-reason', 'desired refused: nonsense: why not'],
    ['refusal-without-reason', 'desired refused: constructor: why not'],
    ['internal-error', 'usage: internal: undefined is not a function'],
  ])('%s: %s', (code, line) => {
    const day = new Day();
    day.judge.noted(0, 'board', line);
    expect(day.codes).toEqual([code]);
  });
});
