import { expect, test } from 'vitest';
import { withAlias } from '../../firmware-images/tables.ts';
import { deviceTree, propertiesIn } from '../support/device-tree.ts';

const CARD = '/emmc2-bus@fe000000/mmc@7e340000';

test('a table has one alias more, and all that it had', () => {
  const table = withAlias(deviceTree({ serial1: '/soc/serial@7e215040', ethernet0: '/scb/ethernet' }), 'mmc0', CARD);
  expect(Object.fromEntries(propertiesIn(table))).toEqual({
    'aliases/serial1': '/soc/serial@7e215040',
    'aliases/ethernet0': '/scb/ethernet',
    'aliases/mmc0': CARD,
  });
  expect(propertiesIn(withAlias(table, 'mmc1', '/soc/mmc')).get('aliases/mmc1')).toBe('/soc/mmc');
});

test('what is no table, or has no aliases, is refused', () => {
  const without = deviceTree({ serial1: '/soc' });
  without.write('aliazes', without.indexOf('aliases'));
  for (const table of [Buffer.from('table'), Buffer.alloc(64), without])
    expect(() => withAlias(table, 'mmc0', CARD)).toThrow(/a table of the kernel/);
});
