import { SlotCard } from '../../../sim/hardware/slots.ts';
import { slotsContract } from '../../contract/slots.ts';
import { testCrypto } from '../../support/crypto.ts';
import { FIRST_ROOT } from '../../support/system.ts';

slotsContract(
  'slots of the virtual world',
  () => {
    const card = new SlotCard({ crypto: testCrypto, root: FIRST_ROOT, after: (_ms, call) => queueMicrotask(call), restart: () => {} });
    return {
      door: () => card,
      boot: () => {
        card.powerCut(() => false);
        card.boot();
      },
      root: (bytes) => card.root.subarray(0, bytes),
      close: () => {},
    };
  },
  3,
);
