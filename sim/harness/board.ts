/** A board as a process of the bundled runtime, started and started again with the same words. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Process, start } from './processes.ts';

export interface BoardSetup {
  name: string;
  board: string;
  data: string;
  capacity: string;
  claim: string;
  proxyPort: number | null;
  /** Forces the unprivileged engine. */
  tier: 'dev' | null;
  paces: Record<string, number>;
  /** A folder that is carried. */
  stick?: string;
  /** What the start of an image would have said of its slots. */
  slots?: string;
  /** Where it looks for others on its network; without one, nowhere: others at work on this machine are none of its own. */
  neighbours?: number;
}

/**
 * Memory before speed, as on an image: of the garbage that receiving makes a third as much lies about; and what is new is collected also while
 * what is old is, or it grows by as much as comes meanwhile.
 */
export const BOARD_NODE_FLAGS = ['--optimize-for-size', '--no-separate-gc-phases'];

const argsOf = (runtime: string, setup: BoardSetup): string[] => [
  ...BOARD_NODE_FLAGS,
  runtime,
  '--data',
  setup.data,
  '--capacity',
  setup.capacity,
  '--claim',
  setup.claim,
  ...Object.entries(setup.paces).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ...(setup.proxyPort === null ? [] : ['--proxy', `127.0.0.1:${setup.proxyPort}`]),
  ...(setup.stick === undefined ? [] : ['--stick', setup.stick]),
  ...(setup.slots === undefined ? [] : ['--slots', setup.slots]),
  ...['--neighbours', setup.neighbours === undefined ? 'off' : String(setup.neighbours)],
  ...(setup.tier === null ? [] : ['--tier', setup.tier]),
];

export const startBoard = (runtime: string, setup: BoardSetup): Process =>
  start({ name: setup.name, args: argsOf(runtime, setup), logPath: `${setup.data}.log`, env: { MALLOC_ARENA_MAX: '1' } });

/** What its store holds, asked of the runtime itself while the board is down. */
export const statusOfBoard = async (runtime: string, setup: BoardSetup): Promise<unknown> => {
  const { stdout } = await promisify(execFile)(process.execPath, [runtime, '--data', setup.data, '--status']);
  return JSON.parse(stdout);
};
