/** Parameters in, connections out, and how a running instance comes to others. */
import { describe, expect, test } from 'vitest';
import { seal } from '../../../runtime/protocol/noun.ts';
import type { Manifest } from '../../../runtime/protocol/nouns/release.ts';
import { type Request, requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { keyOf } from '../../support/crypto.ts';
import { hashOf, request } from '../../support/federation.ts';
import { smallRelease } from '../../support/small-release.ts';

const SCHEMA = JSON.stringify({
  type: 'object',
  properties: {
    greeting: { type: 'string', maxLength: 5 },
    'log-level': { enum: ['info', 'debug'] },
    port: { type: 'integer', maximum: 9000 },
  },
});
const CONNECTION = JSON.stringify({ type: 'object', properties: { url: { type: 'string', format: 'uri' } }, required: ['url'] });

const begun = (changes: Partial<Manifest> = {}, asked: Record<string, string> = { greeting: 'moin' }) => {
  const world = new BoardWorld().pair();
  const release = smallRelease({ parameterSchema: SCHEMA, ...changes });
  const one = placed(world, { release, request: { parameters: asked } });
  world.assign(one).pass(3000);
  return { world, one };
};

const ask = (world: BoardWorld, one: Placed, changes: Partial<Request>): Placed => {
  const asked = request({ release: one.release.release, sequence: 2, parameters: { greeting: 'moin' }, ...changes });
  const hash = hashOf(requestNoun, asked);
  world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
  const next = { ...one, assigned: { ...one.assigned, request: hash } };
  world.assign(next).pass(6000);
  return next;
};

const given = (world: BoardWorld): unknown[] =>
  world.engine.steps.flatMap((step) => (step.kind === 'start' ? [JSON.parse(step.spec.parameters)] : []));

describe('parameters', () => {
  test('are given as their schema types them, beside the words that they are [instances-5]', () => {
    const { world } = begun({}, { greeting: 'moin', port: '8081' });
    expect(given(world)).toEqual([{ greeting: 'moin', 'log-level': 'info', port: 8081 }]);
    const [step] = world.engine.steps.filter(({ kind }) => kind === 'start');
    expect(step).toMatchObject({ spec: { env: { LICHEN_PORT: '8081' } } });
  });

  test('that its schema refuses are refused here too, whoever let them pass, with the reason', () => {
    const { world, one } = begun({}, { greeting: 'good morning' });
    expect(world.engine.did('start')).toEqual([]);
    const { state, detail } = world.state(one.lease)!;
    expect(state).toBe('refused');
    expect(detail).toMatch(/^bad-parameter: greeting: /);
    expect(world.records).toEqual([]);
  });

  test('that nobody declared are refused', () => {
    const { world, one } = begun({}, { colour: 'red' });
    expect(world.state(one.lease)?.detail).toContain('parameter colour is not declared by the release');
  });

  test('of a newer request that are refused leave what runs alone', () => {
    const { world, one } = begun();
    ask(world, one, { parameters: { port: '9001' } });
    expect(world.state(one.lease)?.state).toBe('running');
    expect([world.engine.did('start').length, world.engine.did('stop').length]).toEqual([1, 0]);
    expect(world.journal.some((line) => line.includes('bad-parameter'))).toBe(true);
  });

  test('that change reach an instance by a restart, on the same lease and without calling it a crash', () => {
    const { world, one } = begun();
    ask(world, one, { parameters: { greeting: 'hey' } });
    expect(given(world).at(-1)).toMatchObject({ greeting: 'hey' });
    expect([world.engine.did('start').length, world.engine.did('stop').length]).toEqual([2, 1]);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', restarts: 0 });
    const states = world.gateways.flatMap(({ reports }) => reports.map(({ instances }) => instances[0]?.state));
    expect(states).not.toContain('crashed');
    expect(world.records.filter(({ kind }) => kind === 'open')).toHaveLength(1);
  });

  test('that change reach one that can be told without a restart [instances-6]', () => {
    const { world, one } = begun({ reload: 'SIGHUP' });
    ask(world, one, { parameters: { greeting: 'hey' } });
    expect(world.engine.reloads.map((text) => JSON.parse(text))).toEqual([{ greeting: 'hey', 'log-level': 'info' }]);
    expect([world.engine.did('start').length, world.engine.did('stop').length]).toEqual([1, 0]);
    world.pass(60_000);
    expect(world.engine.reloads).toHaveLength(1);
  });

  test('are told again when that was refused, or when the runtime ended before it was done', () => {
    const { world, one } = begun({ reload: 'SIGHUP' });
    world.engine.broken.add('reload');
    ask(world, one, { parameters: { greeting: 'hey' } });
    expect(world.engine.reloads).toEqual([]);
    world.engine.broken.clear();
    world.restart().pass(5000);
    expect(world.engine.reloads).toHaveLength(1);
    world.pass(60_000).restart().pass(5000);
    expect(world.engine.reloads).toHaveLength(1);
  });

  test('of a request that says the same as before change nothing', () => {
    const { world, one } = begun();
    ask(world, one, {});
    expect([world.engine.did('start').length, world.engine.did('stop').length]).toEqual([1, 0]);
  });
});

describe('a bang', () => {
  test('lets all begin anew once, however they could be told [instances-7]', () => {
    const { world, one } = begun({ reload: 'SIGHUP' });
    const banged = ask(world, one, { bang: 1 });
    expect([world.engine.did('start').length, world.engine.reloads.length]).toEqual([2, 0]);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', restarts: 0 });
    world.restart().pass(30_000);
    ask(world, banged, { sequence: 3, bang: 1 });
    expect(world.engine.did('start')).toHaveLength(2);
  });

  test('that was before the first start is no reason for a second', () => {
    const world = new BoardWorld().pair();
    const one = placed(world, { request: { bang: 4 } });
    world.assign(one).pass(20_000);
    expect(world.engine.did('start')).toHaveLength(1);
  });
});

describe('a connection', () => {
  test('is told once the instance publishes it, and again when it is another [instances-8]', () => {
    const { world, one } = begun({ connectionSchema: CONNECTION });
    expect(world.state(one.lease)).not.toHaveProperty('connection');
    world.engine.connection = '{ "url": "http://[fd00::1]:8080/" }';
    world.pass(3000);
    expect(world.state(one.lease)).toMatchObject({ connection: '{"url":"http://[fd00::1]:8080/"}', detail: '' });
    world.engine.connection = '{"url":"http://[fd00::1]:8081/"}';
    world.pass(15_000);
    expect(world.state(one.lease)?.connection).toContain('8081');
    world.engine.connection = null;
    world.pass(15_000);
    expect(world.state(one.lease)).not.toHaveProperty('connection');
  });

  test('that is not what was declared is not told, but why', () => {
    const { world, one } = begun({ connectionSchema: CONNECTION });
    world.engine.connection = '{"url":"no address"}';
    world.pass(5000);
    expect(world.state(one.lease)).not.toHaveProperty('connection');
    expect(world.state(one.lease)).toMatchObject({ state: 'running', detail: expect.stringMatching(/^bad-connection: url: /) });
  });

  test('is of the program that runs: one that ended takes its own with it', () => {
    const { world, one } = begun({ connectionSchema: CONNECTION });
    world.engine.connection = '{"url":"a:b"}';
    world.pass(3000);
    world.engine.connection = null;
    world.engine.crash(one.lease.lease);
    world.pass(3000);
    expect(world.state(one.lease)).not.toHaveProperty('connection');
  });

  test('nobody declared is not looked for', () => {
    const { world } = begun();
    world.pass(60_000);
    expect(world.engine.steps.filter(({ kind }) => kind === 'look')).toEqual([]);
  });
});
