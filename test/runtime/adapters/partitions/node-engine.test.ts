import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { interpreterOf, librariesIn, nodeBinds } from '../../../../runtime/adapters/partitions/node-engine.ts';

describe("the board's own Node", () => {
  it('is bound with its loader and exactly the libraries that this very process has mapped', async () => {
    const binds = await nodeBinds(process.execPath);
    const own = String(execFileSync(process.execPath, ['-p', 'require("node:fs").readFileSync("/proc/self/maps", "utf8")']));
    const mapped = new Set([...own.matchAll(/ (\/\S+\.so[.\d]*)$/gm)].map(([, path]) => path));
    expect(new Set(binds.slice(1).map(({ source }) => source))).toEqual(mapped);
    expect(binds[0]).toMatchObject({ target: '/usr/bin/node' });
    expect(binds.map(({ target }) => target)).toContain(interpreterOf(process.execPath));
  });

  it('refuses when a library is missing, and what is not a program', () => {
    expect(() => librariesIn('\tlibatomic.so.1 => not found\n')).toThrow(/libatomic\.so\.1/);
    const directory = mkdtempSync(join(tmpdir(), 'lichen-elf-'));
    try {
      writeFileSync(join(directory, 'script'), '#!/bin/sh\n'.padEnd(80));
      expect(() => interpreterOf(join(directory, 'script'))).toThrow(/ELF/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("reads the loader's listing", () => {
    const listing =
      '\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n';
    expect(librariesIn(listing)).toEqual(['/lib/x86_64-linux-gnu/libm.so.6']);
  });
});
