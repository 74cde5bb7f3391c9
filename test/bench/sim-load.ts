/**
 * The fixed workload of the simulator's figures, run once in a process of its own. Says on stdout what it did, as JSON.
 */
import { parseArgs } from 'node:util';
import { runScenario } from '../../sim/run.ts';
import { fixedLoad } from './sim-fixed-load.ts';

const { values } = parseArgs({
  options: {
    boards: { type: 'string', default: '100' },
    hours: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
    tier: { type: 'string', default: 'a' },
    crypto: { type: 'string', default: 'stand-in' },
  },
});

const report = await runScenario(fixedLoad(Number(values.boards), Number(values.hours)), {
  ...{ seed: Number(values.seed), tier: values.tier === 'b' ? 'b' : 'a', only: null, lanes: false, path: 'load' },
  crypto: values.crypto === 'ed25519' ? 'ed25519' : 'stand-in',
  seconds: () => Number(process.hrtime.bigint()) / 1e9,
});
const { ok, traceHash, events, faults, violations, recordsSigned, wallSeconds } = report;
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
/** Of the thread that runs the world: compilers and collectors work beside it. */
const thread = process.threadCpuUsage();
const threadSeconds = (thread.user + thread.system) / 1e6;
const said = {
  ok,
  traceHash,
  events,
  faults,
  recordsSigned,
  wallSeconds,
  cpuSeconds,
  threadSeconds,
  rssMb: maxRSS / 1024,
  violations: violations.slice(0, 3),
};
process.stdout.write(`${JSON.stringify(said)}\n`);
