/** How a verb is declared: help begins with its examples, and says what `--json` prints. */
import type { Command } from 'commander';

export interface Verb {
  /** Name and arguments, e.g. `show <period>`. */
  usage: string;
  says: string;
  /** Without the word `lichen`, which comes first, or after variables. */
  examples: string[];
  /** Keys of the JSON value, or of each element of a list. A contract: tests compare it with what is printed. */
  gives: { keys: readonly string[]; list?: boolean };
}

const contracts = new WeakMap<Command, Verb['gives']>();

export const contractOf = (command: Command): Verb['gives'] | undefined => contracts.get(command);

const contractText = ({ keys, list }: Verb['gives']): string => `\nJSON:\n  ${list ? '[' : ''}{${keys.join(', ')}}${list ? ', …]' : ''}`;

const VARIABLES = /^(?:[A-Z_]+=\S+ )*/;

export const addVerb = (noun: Command, { usage, says, examples, gives }: Verb): Command => {
  const command = noun
    .command(usage)
    .description(says)
    .addHelpText('before', `Examples:\n${examples.map((example) => example.replace(VARIABLES, '  $&lichen ')).join('\n')}\n`)
    .addHelpText('after', contractText(gives))
    .option('--json', 'print one JSON value as the last line of stdout');
  contracts.set(command, gives);
  return command;
};

/** For verbs that read from a gateway. */
export const addApi = (command: Command): Command =>
  command.option('--api <url>', "the gateway's API (LICHEN_API, else http://127.0.0.1:8080)");

/** For the operator's own verbs. */
export const addToken = (command: Command): Command =>
  addApi(command).option('--token-file <file>', "file with the operator's token (else LICHEN_TOKEN)");

/** For verbs that push documents: HTTP unless MQTT is asked for. */
export const addPush = (command: Command): Command =>
  addApi(command)
    .option('--mqtt <host:port>', 'push over MQTT to this door instead of HTTP')
    .option('--gateway-key <hex>', 'with --mqtt: the public key that the gateway must hold')
    .option('--tenant-key <file>', "the tenant's key file");
