/** The words of the runtime's command line. */
import { resolve } from 'node:path';
import { NEIGHBOURS_PORT } from './adapters/neighbours/door.ts';
import type { Pace } from './agent/events.ts';
import { type Capacity, parseCapacity, parseGrants } from './core/capacity.ts';
import { parseClaim } from './protocol/claim.ts';
import { asLichenError, LichenError } from './protocol/errors.ts';

export const OPTIONS = {
  data: { type: 'string' },
  claim: { type: 'string' },
  capacity: { type: 'string' },
  grants: { type: 'string' },
  tier: { type: 'string' },
  'tick-ms': { type: 'string', default: '1000' },
  'meter-ms': { type: 'string', default: '60000' },
  'record-ms': { type: 'string', default: '900000' },
  'report-ms': { type: 'string', default: '60000' },
  'patience-ms': { type: 'string', default: '10000' },
  'keepalive-s': { type: 'string', default: '10' },
  proxy: { type: 'string' },
  neighbours: { type: 'string', default: 'on' },
  stick: { type: 'string' },
  page: { type: 'string' },
  notes: { type: 'string' },
  slots: { type: 'string' },
  after: { type: 'string' },
  status: { type: 'boolean', default: false },
  evict: { type: 'boolean', default: false },
  'rotate-key': { type: 'boolean', default: false },
  inventory: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

export const HELP = `lichen-runtime --data DIR [--claim LICHEN1:...] [--capacity memory=MIB,cpu=MILLIS,partitions=N,data=MIB,ports=FIRST-LAST]
                          [--grants internet,lan,gpio,...]

  --data DIR        identity, store and files of this board
  --claim LINE      pairs the board; once is enough
  --capacity LIST   what of this machine is offered; default: half its memory, its cores, 8 partitions
                    ports=FIRST-LAST: ports of this machine on which instances may be published; default: none
  --grants LIST     what instances may be given of network and devices: internet, lan, gpio, i2c, spi, serial, camera,
                    1wire, usb:VENDOR:PRODUCT; default: none. What is given besides has to be in the owner's binding
  --proxy HOST:PORT reaches gateways through an HTTP proxy
  --stick DIR       a folder, such as where a stick is mounted, by which messages are carried where no network does it;
                    it need not be there yet. "lichen release export" prepares it
  --neighbours PORT where it gives releases to boards on its own network that hold the same, and takes from them (${NEIGHBOURS_PORT}); or off
  --page PORT       shows on the network what this board is and waits for, until it is paired (and by mDNS as HOSTNAME.local)
  --notes DIR       folder of what the start of the board left for people: setup.json and said
  --slots FILE      where the start of an image has written down which system slots there are
  --after PIPE      does nothing until something is written to it
  --status          says what the store holds, as JSON, and ends
  --rotate-key      hands over to a new key and says with which documents, as JSON: push them, start the board again
  --evict           stops and takes away every partition of this board, and ends
  --tier dev        without root's means, even for root
  --meter-ms N      between two samples of the kernel's counters (60000)
  --record-ms N     between two signed usage records (900000)
  --tick-ms, --report-ms, --patience-ms, --keepalive-s   other paces
`;

export const number = (values: Record<string, string | boolean | undefined>, name: string): number => {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw asUsage(`--${name} takes a whole number from 1`);
  return value;
};

export const asUsage = (detail: string): LichenError =>
  new LichenError('bad-usage', detail, '`lichen-runtime --help` lists the words and what they take.');

export type Values = Record<string, string | boolean | undefined>;

const PATHS = ['data', 'stick', 'notes', 'slots', 'after'];

/** From where the words were typed: engines and what runs inside have working directories of their own. */
const withWholePaths = (values: Values): Values => {
  const whole = PATHS.flatMap((name) => {
    const path = values[name];
    return typeof path === 'string' && path !== '' ? [[name, resolve(path)]] : [];
  });
  return { ...values, ...Object.fromEntries(whole) };
};

const checkClaim = (line: string): void => {
  try {
    parseClaim(line);
  } catch (thrown) {
    const next = 'Paste the line that `lichen board claim` prints, whole and in quotes: it begins with LICHEN1:.';
    throw new LichenError('bad-usage', `--claim is not such a line (${asLichenError(thrown).detail})`, next);
  }
};

/** What can be said of the words before anything is looked at or made. Error: `bad-usage`. */
export const checked = (typed: Values): Values => {
  const { tier, claim } = typed;
  if (tier !== undefined && tier !== 'dev')
    throw asUsage(`--tier takes dev and nothing else, not "${tier}"; without it a board finds its tier`);
  if (typeof claim === 'string') checkClaim(claim);
  return withWholePaths(typed);
};

export const paceOf = (values: Values): Pace => ({
  tickMs: number(values, 'tick-ms'),
  meterMs: number(values, 'meter-ms'),
  recordMs: number(values, 'record-ms'),
  reportMs: number(values, 'report-ms'),
  patienceMs: number(values, 'patience-ms'),
});

/** The port for others on its network; null: they are left alone. */
export const neighboursIn = (values: Values): number | null => {
  if (values.neighbours === 'off') return null;
  return values.neighbours === 'on' ? NEIGHBOURS_PORT : number(values, 'neighbours');
};

/** What the owner sets aside and sets free. */
export const lentIn = (values: Values, totalBytes: number): { capacity: Capacity; grants: string[] } => ({
  capacity: parseCapacity(typeof values.capacity === 'string' ? values.capacity : '', Math.floor(totalBytes / 2 ** 21)),
  grants: parseGrants(typeof values.grants === 'string' ? values.grants : ''),
});
