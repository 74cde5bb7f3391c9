import { describe, expect, test } from 'vitest';
import { checkDemands, notGiven, offerOf, parseCapacity, parseGrants } from '../../../runtime/core/capacity.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { offerSchema } from '../../../runtime/protocol/nouns/board.ts';
import { parse } from '../../../runtime/protocol/schema.ts';
import { smallRelease } from '../../support/small-release.ts';

describe('a capacity', () => {
  test('is what was set aside, and for the rest what there is', () => {
    expect(parseCapacity('', 256)).toEqual({ memoryMib: 256, cpuMillis: 1000, partitions: 8 });
    expect(parseCapacity('memory=64', 256)).toEqual({ memoryMib: 64, cpuMillis: 1000, partitions: 8 });
    expect(parseCapacity('partitions=2,cpu=250,memory=64', 256)).toEqual({ memoryMib: 64, cpuMillis: 250, partitions: 2 });
  });

  test.each([
    'memory',
    'memory=',
    'memory=0',
    'memory=-1',
    'memory=1.5',
    'memory=1e3',
    'memory=64MiB',
    'ram=64',
    'memory=1=2',
    'toString=1',
    'memory=0x10',
  ])('is refused as %s', (text) => expect(() => parseCapacity(text, 256)).toThrow(expect.objectContaining({ code: 'bad-usage' })));

  test('names what of the card is set aside for data that has an end', () =>
    expect(parseCapacity('data=512', 1)).toMatchObject({ dataMib: 512 }));

  test('has as many partitions as an assignment can list, and no more', () => {
    expect(parseCapacity(`partitions=${LIMITS.partitionsPerBoard}`, 1).partitions).toBe(LIMITS.partitionsPerBoard);
    expect(() => parseCapacity(`partitions=${LIMITS.partitionsPerBoard + 1}`, 1)).toThrow(expect.objectContaining({ code: 'bad-usage' }));
  });
});

describe('an offer', () => {
  const enforced = {
    tier: 'reduced' as const,
    engine: 'crun 1.21',
    memory: true,
    cpu: true,
    pids: false,
    network: true,
    disk: false,
    deadline: true,
    io: false,
    grants: ['links', 'gpio', 'i2c'],
    quota: true,
    publishes: true,
    lacks: ['x'],
  };

  test('says what is enforced, and is one that gateways take', () => {
    const offer = offerOf(enforced, parseCapacity('memory=64,cpu=500,partitions=2', 1), 'arm64', 'a board');
    expect(parse(offerSchema, offer, 'offer')).toEqual({
      ...{ tier: 'reduced', arch: 'arm64', memoryMib: 64, cpuMillis: 500, partitions: 2, engine: 'crun 1.21', model: 'a board' },
      enforces: { memory: true, cpu: true, pids: false, network: true, disk: false, deadline: true },
      grants: ['links'],
    });
  });

  test('lends what its owner set free and the board can give, and says what it cannot', () => {
    const capacity = parseCapacity('ports=8000-8015', 1);
    const allowed = parseGrants('internet,gpio,gpio,usb:0403:6001');
    const offer = offerOf(enforced, capacity, 'arm64', '', allowed);
    expect(parse(offerSchema, offer, 'offer')).toMatchObject({ grants: ['links', 'gpio'], ports: { first: 8000, last: 8015 } });
    expect(notGiven(enforced, capacity, allowed)).toEqual([expect.stringContaining('internet'), expect.stringContaining('usb:0403:6001')]);
    const roomy = parseCapacity('data=512', 1);
    expect(offerOf(enforced, roomy, 'arm64', '')).toMatchObject({ dataMib: 512 });
    expect(offerOf({ ...enforced, quota: false }, roomy, 'arm64', '')).not.toHaveProperty('dataMib');
    expect(notGiven({ ...enforced, quota: false }, roomy, []).join()).toContain('Room for /data is set aside');
    const silent = { ...enforced, grants: [], publishes: false, quota: false };
    expect(offerOf(silent, capacity, 'arm64', '', allowed)).not.toHaveProperty('grants');
    expect(offerOf(silent, capacity, 'arm64', '', allowed)).not.toHaveProperty('ports');
    expect(notGiven(silent, capacity, []).join()).toContain('Ports are set aside');
  });

  test.each(['internet,wan', 'usb:0403', 'links', 'GPIO', 'i2c ,spi'])('is refused when it lends %s', (text) =>
    expect(() => parseGrants(text)).toThrow(expect.objectContaining({ code: 'bad-usage' })),
  );

  test.each(['ports=80', 'ports=8000-', 'ports=9000-8000', 'ports=1023-1030', 'ports=65000-70000'])('has no %s', (text) =>
    expect(() => parseCapacity(text, 1)).toThrow(expect.objectContaining({ code: 'bad-usage' })),
  );

  test('does not meet a release that needs what is not lent', () => {
    const offer = offerOf(enforced, parseCapacity('', 1), 'arm64', '', ['gpio']);
    const { manifest } = smallRelease();
    expect(() => checkDemands(offer, { ...manifest, devices: ['gpio'] }, {})).not.toThrow();
    for (const devices of [['i2c'], ['gpio', 'spi']])
      expect(() => checkDemands(offer, { ...manifest, devices }, {})).toThrow(expect.objectContaining({ code: 'not-offered' }));
  });

  test('does not meet a release that demands more, or that is built for another processor', () => {
    const offer = offerOf(enforced, parseCapacity('', 1), 'arm64', '');
    const { manifest } = smallRelease();
    const meets = (changes: Partial<typeof manifest>) => () => checkDemands(offer, { ...manifest, ...changes }, {});
    for (const changes of [{}, { arch: 'arm64' as const }, { demands: 'dev' as const }, { demands: 'reduced' as const }])
      expect(meets(changes)).not.toThrow();
    for (const changes of [{ arch: 'x64' as const }, { demands: 'full' as const }])
      expect(meets(changes)).toThrow(expect.objectContaining({ code: 'not-offered' }));
  });

  test('limits reading and writing where the kernel does, and does not meet a release that wants it elsewhere', () => {
    const { manifest } = smallRelease();
    const slow = { ...manifest, limits: { ...manifest.limits, writeKibPerS: 512 } };
    const [holds, not] = [true, false].map((io) => offerOf({ ...enforced, io }, parseCapacity('', 1), 'arm64', ''));
    expect(parse(offerSchema, holds, 'offer').enforces.io).toBe(true);
    expect(not?.enforces).not.toHaveProperty('io');
    expect(() => checkDemands(parse(offerSchema, holds, 'offer'), slow, {})).not.toThrow();
    expect(() => checkDemands(parse(offerSchema, not, 'offer'), slow, {})).toThrow(expect.objectContaining({ code: 'not-offered' }));
  });

  test('is not made by a processor that no release is built for', () => {
    expect(() => offerOf(enforced, parseCapacity('', 1), 'riscv64', '')).toThrow(expect.objectContaining({ code: 'not-offered' }));
  });
});
