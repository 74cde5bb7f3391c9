import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { publish } from '../../../recipes/hello-sensor/connection.ts';

test('a connection is there whole, or nobody asks for it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lichen-connection-'));
  try {
    expect(publish({ port: 1 }, directory)).toBe(true);
    expect(publish({ port: 2 }, directory)).toBe(true);
    expect(readdirSync(directory)).toEqual(['connection.json']);
    expect(readFileSync(join(directory, 'connection.json'), 'utf8')).toBe('{"port":2}');
    expect(publish({ port: 1 }, join(directory, 'none'))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
