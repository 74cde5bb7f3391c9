/** `npm run test:board`: a board in QEMU, and what runs inside it. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  cacheDir: 'node_modules/.vite',
  test: {
    environment: 'node',
    globalSetup: 'test/board/once.ts',
    pool: 'forks',
    // An emulated board has one processor, and takes one of this machine's; two are side by side.
    maxWorkers: 2,
    // A hang, also where two boards share the machine with others.
    testTimeout: 20 * 60_000,
    hookTimeout: 20 * 60_000,
    include: ['test/board/*.test.ts'],
  },
});
