import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Links, linkBytesIn } from '../../../../runtime/adapters/partitions/link-bytes.ts';

const TEXT = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 698887148438 24440393    0    0    0     0          0         0 698887148438 24440393    0    0    0     0       0          0
xlc0123456789: 1 2    0    0    0     0          0         0        3       4    0    0    0     0       0          0
lc0123456789: 18446744073709551615 2    0    0    0     0          0         0        9007199254740993       4    0    0    0     0       0          0
`;

describe('bytes of a link', () => {
  it('are found under the whole of its name, to the last one', () => {
    expect(linkBytesIn(TEXT, 'lc0123456789')).toEqual({ received: 18_446_744_073_709_551_615n, sent: 9_007_199_254_740_993n });
    expect(linkBytesIn(TEXT, 'lo')).toEqual({ received: 698_887_148_438n, sent: 698_887_148_438n });
    expect(linkBytesIn(TEXT, 'lc012345678')).toBeNull();
    expect(linkBytesIn('', 'lo')).toBeNull();
  });

  it('are those that the kernel tells of this machine, anew in each tick', async () => {
    const links = new Links();
    const told = (): bigint => BigInt(readFileSync('/sys/class/net/lo/statistics/rx_bytes', 'utf8'));
    for (let i = 0; i < 2; i++) {
      const before = told();
      const { received } = links.bytes('lo');
      expect(received).toBeGreaterThanOrEqual(before);
      expect(received).toBeLessThanOrEqual(told());
      await Promise.resolve();
    }
    links.close();
  });
});
