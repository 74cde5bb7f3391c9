#!/usr/bin/env node
/** The one entry of the command line. What is heavy is loaded by the verb that needs it. */
import manifest from '../package.json' with { type: 'json' };
import type { Heavy } from './cli/heavy.ts';
import { fail } from './cli/output.ts';
import { runCommandLine } from './cli/program.ts';

const heavy: Heavy = {
  gateway: async () => (await import('./main.ts')).runGateway,
  builder: async () => (await import('../recipes/builder/cli.ts')).registerReleaseBuild,
  sim: async () => (await import('../sim/cli.ts')).registerSim,
  hardware: async () => (await import('../runtime/adapters/hardware.ts')).readHardware,
  images: async () => (await import('../firmware-images/cli.ts')).registerImage,
};

const args = process.argv.slice(2);

// A reader that has seen enough (`lichen board list | head`) is no error.
process.stdout.on('error', (thrown) => process.exit('code' in thrown && thrown.code === 'EPIPE' ? 0 : 74));
process.stderr.on('error', () => {});
const crash = (thrown: unknown): void => process.exit(fail(thrown, args.includes('--json')));
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);

const status = await runCommandLine(args, manifest.version, heavy);
// What a refused verb had begun must not keep the process; pipes and terminals are written synchronously here.
if (status !== 0) process.exit(status);
