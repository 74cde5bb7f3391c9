/** What only another kernel than this machine's can tell: measured in a board that is emulated, which has it. */
import { runInside } from '../../board/guest.ts';
import { testImage } from '../../board/image.ts';
import type { Row } from '../measure.ts';
import { alone } from './stage.ts';

/** Prints the figure, and fails where it is no good. */
const FILE = 'test/board/inside/io-meter.test.ts';

/** As `ioError`, where nothing that is written is counted here. */
export const ioErrorInside = async (): Promise<Row[]> => {
  const { tests, transcript } = await runInside(await testImage(), [FILE], null);
  const figure = tests.every(({ passed }) => passed) ? /^meter_error_percent_io (\S+)/m.exec(transcript)?.[1] : undefined;
  return [alone('meter_error_percent_io', Number(figure ?? Number.NaN), '%')];
};
