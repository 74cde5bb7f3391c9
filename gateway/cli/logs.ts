/** `lichen logs`: what an instance says. Nothing of it is believed by the terminal: whatever one would obey is spelled out. */
import type { Command } from 'commander';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { LogText } from '../../runtime/protocol/nouns/watch.ts';
import { printable } from '../../runtime/protocol/printable.ts';
import { name as nameSchema } from '../../runtime/protocol/schema.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag, paint, say } from './output.ts';
import { addVerb } from './verbs.ts';
import { hexBytes, hostPort, misused, wholeNumber, word } from './words.ts';

interface Flags extends JsonFlag {
  mqtt?: string;
  gatewayKey?: string;
  tenantKey?: string;
  follow?: boolean;
  tail: string;
  times?: boolean;
}

export interface SaidLine {
  at: string;
  stream: 'out' | 'err' | 'board';
  text: string;
  /** It goes on in the next line of its stream. */
  goesOn: boolean;
}

const STREAMS = { o: 'out', e: 'err', '!': 'board' } as const;
const LINE = /^(\S{24}) ([oe!])([ +])(.*)$/;
const TIMEOUT_MS = 20_000;
const RETRY_MS = 1_000;
export const LOGS = ['lease', 'missed', 'lines'] as const;

/** What is not written as a log is shown as it is: nobody but its board knows what it is. */
export const linesOf = ({ text }: LogText): SaidLine[] =>
  new TextDecoder()
    .decode(text)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, at = '', mark = 'o', goesOn, said = line] = LINE.exec(line) ?? [];
      const stream = mark === 'e' || mark === '!' ? STREAMS[mark] : 'out';
      return { at: printable(at), stream, text: printable(said), goesOn: goesOn === '+' };
    });

const shown = ({ at, stream, text, goesOn }: SaidLine, times: boolean): string => {
  if (stream === 'board') return `${paint.dim(`-- ${text} --`)}\n`;
  const end = goesOn && !times ? '' : '\n';
  return `${times ? `${paint.dim(at)} ` : ''}${stream === 'err' ? paint.yellow(text) : text}${end}`;
};

const writer = (times: boolean) => {
  let lease: string | null = null;
  return (part: LogText): void => {
    if (lease !== null && lease !== part.lease) say(`-- from here on it is lease ${part.lease} --`);
    lease = part.lease;
    const gap = part.missed > 0 ? `${paint.dim(`-- ${part.missed} bytes are kept no more --`)}\n` : '';
    process.stdout.write(
      gap +
        linesOf(part)
          .map((line) => shown(line, times))
          .join(''),
    );
  };
};

const instanceOf = (text: string): { name: string; index: number } => {
  const [name = '', index = '0', more] = text.split('/');
  if (more !== undefined) misused(`an instance is a request's name, or name/index, not "${text}"`);
  return { name: word(nameSchema, name, 'the name of the request'), index: wholeNumber(index, 'the index of the instance') };
};

const logs = async (instance: string, flags: Flags): Promise<void> => {
  const address = flags.mqtt ?? misused('--mqtt HOST:PORT says at which gateway to ask');
  hostPort(address, '--mqtt');
  const gatewayKey = hexBytes(flags.gatewayKey ?? misused('--gateway-key HEX is the key that the gateway must hold'), '--gateway-key');
  const key = readKey(flags.tenantKey ?? misused("--tenant-key FILE is needed: only an instance's tenant reads its log"));
  if (flags.follow && flags.json) misused('--json prints one value at the end, and --follow has none');
  const { watchLog } = await import('./log-watch.ts');
  const said: SaidLine[] = [];
  const sum = { lease: '', missed: 0 };
  const write = writer(flags.times === true);
  // `lichen logs -f x | head`: whoever reads has had enough.
  process.stdout.on('error', () => process.exit(0));
  await watchLog({
    ...{ address, gatewayKey, key, ...instanceOf(instance), follow: flags.follow === true },
    tailBytes: wholeNumber(flags.tail, '--tail', 0, LIMITS.logMaxKib) * 1024,
    take: (part) => {
      if (!flags.json) return write(part);
      said.push(...linesOf(part));
      Object.assign(sum, { lease: part.lease, missed: sum.missed + part.missed });
    },
    broken: (error) => say(`-- ${error.detail}; trying again --`),
    ...{ timeoutMs: TIMEOUT_MS, retryMs: RETRY_MS },
  });
  if (flags.json) emit(flags, { ...sum, lines: said }, () => '');
};

export const register = (program: Command): void => {
  addVerb(program, {
    usage: 'logs <instance>',
    says: 'what an instance says, to its tenant and nobody else',
    examples: [
      'logs museum --mqtt north.example:8883 --gateway-key HEX --tenant-key tenant.key',
      'logs museum/1 --follow --mqtt north.example:8883 --gateway-key HEX --tenant-key tenant.key',
    ],
    gives: { keys: LOGS },
  })
    .option('--mqtt <host:port>', "the door of the gateway that the instance's board is at home at")
    .option('--gateway-key <hex>', 'the public key that the gateway must hold')
    .option('--tenant-key <file>', "the tenant's key file")
    .option('-f, --follow', 'go on with what is said next, also after a break')
    .option('--tail <kib>', 'begin so much before the end', '64')
    .option('--times', 'say when each line was said')
    .action(logs);
};
