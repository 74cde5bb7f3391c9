/** Before all files of a run of tests: names it, so that each image is built once a run and not once a file. */
import { randomUUID } from 'node:crypto';

export default (): void => {
  process.env.LICHEN_BOARD_RUN = randomUUID();
};
