/** `meter_error_percent_io` of the benchmark of partitions, where the kernel counts what is written. */
import { expect, test } from 'vitest';
import { ioError } from '../../bench/partitions/errors.ts';
import { Stage } from '../../bench/partitions/stage.ts';

test('what is billed as written is within one in a hundred of what the kernel counted, under starts and stops', async () => {
  const stage = await Stage.open();
  try {
    const [row] = await ioError(stage);
    process.stdout.write(`meter_error_percent_io ${row?.value}\n`);
    expect(row?.value).toBeLessThanOrEqual(1);
  } finally {
    await stage.close();
  }
});
