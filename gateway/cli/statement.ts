/** A period's statement, which a gateway works out when it is first asked for. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { asLichenError } from '../../runtime/protocol/errors.ts';
import type { Client } from './client.ts';
import { say } from './output.ts';

const AGAIN_MS = 1000;

/** Asks on for as long as it is being worked out: long logs take minutes. Errors: `not-found`, `missing-content`. */
export const fetchStatement = async (client: Client, period: number): Promise<Bytes> => {
  for (;;) {
    try {
      return await client.askBytes('statement', { path: { period: String(period) } });
    } catch (thrown) {
      const { code, detail } = asLichenError(thrown);
      if (code !== 'not-ready') throw thrown;
      say(`The statement is being worked out: ${detail}.`);
      await pause(AGAIN_MS);
    }
  }
};
