/** The store in memory keeps the contract of the store door, whether it answers at once or later. */
import { describe } from 'vitest';
import { type Medium, storeContract } from '../../contract/store.ts';
import { MemoryDisk, openMemoryStore } from '../../support/memory-store.ts';
import { manualClock } from '../../support/world.ts';

const medium = (later: boolean): Medium => {
  const disk = new MemoryDisk();
  return {
    open: (owner) => {
      const clock = manualClock();
      const laters = later ? { readsLater: clock.soon, commitsLater: clock.soon } : {};
      return { store: openMemoryStore({ disk, owner, ...laters }), settle: clock.settle };
    },
    close: async () => {},
    spoilSchema: async () => {
      disk.schema = 'another';
    },
  };
};

describe('in memory, at once', () => storeContract({ medium: () => medium(false) }));
describe('in memory, later', () => storeContract({ medium: () => medium(true) }));
