import { describe, expect, test } from 'vitest';
import { destinationOf, isPrivate, rangeOf } from '../../../runtime/protocol/address.ts';

describe('an address or a network', () => {
  test.each([
    ['192.0.2.1', 32, 0xc000_0201n, 0xc000_0201n],
    ['10.0.0.0/8', 32, 0x0a00_0000n, 0x0aff_ffffn],
    ['0.0.0.0/0', 32, 0n, 2n ** 32n - 1n],
    ['::', 128, 0n, 0n],
    ['::1', 128, 1n, 1n],
    ['2001:db8::/32', 128, 0x2001_0db8n << 96n, (0x2001_0db9n << 96n) - 1n],
    ['1:2:3:4:5:6:7:8', 128, 0x0001_0002_0003_0004_0005_0006_0007_0008n, 0x0001_0002_0003_0004_0005_0006_0007_0008n],
    ['::/0', 128, 0n, 2n ** 128n - 1n],
  ] as const)('%s is read', (text, bits, first, last) => expect(rangeOf(text)).toEqual({ bits, first, last }));

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '01.2.3.4',
    '1.2.3.4/33',
    '1.2.3.4/08',
    '1.2.3.4/',
    '1.2.3.4/24/1',
    // Bits below the prefix: it is not said what is meant.
    '10.0.0.1/8',
    '2001:db8::1/32',
    '1:2:3',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    '12345::',
    'FE80::1',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    '::/129',
    ' ::1',
  ])('%j is none', (text) => expect(rangeOf(text)).toBeNull());
});

describe('a destination', () => {
  test('is the Internet, a network, or a name', () => {
    expect(destinationOf('internet')).toEqual({ kind: 'internet' });
    expect(destinationOf('10.0.0.0/8')).toMatchObject({ kind: 'range', text: '10.0.0.0/8' });
    expect(destinationOf('a-b.example.org')).toEqual({ kind: 'name', name: 'a-b.example.org' });
  });

  // What gets into a filter as text has only letters that mean nothing there.
  test.each([
    'localhost',
    'Example.org',
    '*.example.org',
    'example.org.',
    '-a.example',
    'a..b',
    '1.2.3.300',
    'a.b; drop',
    'a.b\n',
    'ä.example',
    `${'a'.repeat(64)}.b`,
    `${'a.'.repeat(130)}b`,
  ])('%j is none', (text) => expect(destinationOf(text)).toBeNull());

  test('of the owner or the board is told from the Internet', () => {
    for (const text of [
      '10.1.2.3',
      '172.31.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '127.0.0.1',
      '100.64.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      'fe80::1',
      'fd00::1',
      'ff02::1',
      '64:ff9b::1',
      '::ffff:10.0.0.1',
      'nonsense',
    ])
      expect(isPrivate(text), text).toBe(true);
    for (const text of ['9.9.9.9', '172.32.0.1', '192.169.0.1', '2001:db8::1', '2a00::1']) expect(isPrivate(text), text).toBe(false);
  });
});
