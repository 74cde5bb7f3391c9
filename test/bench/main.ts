/** `npm run bench` lists the benchmarks; `npm run bench -- <name> [--json] [--curve]` runs one. Exits with 0 only when everything was measured. */
import { parseArgs } from 'node:util';
import { benchmarkNames, runBenchmark, table } from './harness.ts';

const directory = import.meta.dirname;
const say = (text: string) => process.stderr.write(`${text}\n`);

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, curve: { type: 'boolean', default: false } },
  });
  const names = benchmarkNames(directory);
  const [name] = positionals;
  if (name === undefined) {
    process.stdout.write(names.map((known) => `${known}\n`).join(''));
    return 0;
  }
  if (!names.includes(name)) {
    say(`bench: there is no benchmark "${name}". There ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ') || 'none yet'}.`);
    return 64;
  }
  const report = await runBenchmark(directory, name, { curve: values.curve });
  say(table(report));
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  if (report.gaps.length === 0) return 0;
  say(`bench: ${name} did not measure: ${report.gaps.join(', ')}.`);
  return 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
