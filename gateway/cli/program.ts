/** The command line: its nouns, each loaded when it is named, and what becomes of what they throw. */
import { Command, CommanderError } from 'commander';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { Heavy } from './heavy.ts';
import { fail, paint, print, say } from './output.ts';

/** `wanted`: the verb that was named, if any. */
type Register = (at: Command, heavy: Heavy, wanted: string | undefined) => void | Promise<void>;

interface Noun {
  name: string;
  says: string;
  /** It has no verbs: the noun itself is one. */
  alone?: true;
  load(): Promise<Register>;
}

export const NOUNS: Noun[] = [
  {
    name: 'status',
    says: 'gateway, peers, boards and instances on one screen',
    alone: true,
    load: async () => (await import('./status.ts')).register,
  },
  {
    name: 'doctor',
    says: 'problems of this machine and of the gateway, each with its fix',
    alone: true,
    load: async () => (await import('./doctor.ts')).register,
  },
  { name: 'key', says: 'make and show keys', load: async () => (await import('./key.ts')).register },
  { name: 'operator', says: "the document that names a federation's gateways", load: async () => (await import('./operator.ts')).register },
  { name: 'gateway', says: 'run a gateway, list and look at them', load: async () => (await import('./gateway.ts')).register },
  { name: 'tenant', says: 'who may request', load: async () => (await import('./tenant.ts')).register },
  { name: 'board', says: 'pair, bind and list boards', load: async () => (await import('./board.ts')).register },
  { name: 'publisher', says: 'the document that names release keys', load: async () => (await import('./publisher.ts')).register },
  { name: 'release', says: 'build, push and list releases', load: async () => (await import('./release.ts')).register },
  {
    name: 'request',
    says: 'wish for software: make, push, start, stop, destroy, list',
    load: async () => (await import('./request.ts')).register,
  },
  {
    name: 'share',
    says: 'a part of an instance that serves many: ask for one, see who serves it',
    load: async () => (await import('./share.ts')).register,
  },
  { name: 'instance', says: 'what runs where', load: async () => (await import('./instance.ts')).register },
  { name: 'logs', says: 'what an instance says', alone: true, load: async () => (await import('./logs.ts')).register },
  { name: 'invoice', says: 'close, show, keep and audit billing periods', load: async () => (await import('./invoice.ts')).register },
  {
    name: 'image',
    says: 'images for boards: build them, pin what they are made of',
    load: async () => async (noun, heavy) => (await heavy.images())(noun, { print, say, paint }),
  },
  {
    name: 'sim',
    says: 'a fleet of virtual boards and gateways in one process: run scenarios, replay what failed',
    load: async () => async (noun, heavy) => (await heavy.sim())(noun, { print, say, paint }),
  },
];

const EXAMPLES = `From nothing to a program on a board (docs/first-board.md, word by word):
  lichen key new husum/gateway.key     the keys of operator, gateway, owner, publisher, tenant
  lichen gateway run --data husum --operator operator-1.cose
  lichen board claim --owner-key owner.key --token-file husum/admin.token
  lichen release push hello-1 --publisher publisher-1.cose     then \`request make\`, \`request push\`
  lichen logs hello --mqtt HOST:PORT --gateway-key HEX --tenant-key tenant.key

Examples:
  lichen status
  lichen doctor
  lichen request make --tenant-key tenant.key --release HEX --name museum --cap 5.00 --currency EUR
  lichen sim run first-day
`;

const ENVIRONMENT = `
Environment:
  LICHEN_API    URL of the gateway's API (http://127.0.0.1:8080)
  LICHEN_TOKEN  the operator's token
  NO_COLOR      no colours, whatever the terminal can do
  LICHEN_PASSPHRASE_FILE
                file with the passphrase of the keys that are used (else whoever sits at the terminal is asked)
`;

const bare = (version: string): Command =>
  new Command('lichen')
    .description('A decentralised cloud that lives on small boards.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    // `--version` is the program's before the noun, and a verb's own behind it.
    .enablePositionalOptions()
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', ENVIRONMENT)
    .configureHelp({ styleTitle: (text) => paint.bold(text) })
    // What it has to say is said by `fail`, in the one form that errors have.
    .configureOutput({ outputError: () => {} })
    .exitOverride();

/** All nouns by name; those in `loaded` with their verbs. */
export const makeProgram = async (version: string, heavy: Heavy, loaded: (noun: string) => boolean, wanted?: string): Promise<Command> => {
  const program = bare(version);
  for (const { name, says, alone, load } of NOUNS) {
    if (alone) {
      if (loaded(name)) await (await load())(program, heavy, wanted);
      else program.command(name).description(says);
      continue;
    }
    const noun = program.command(name).description(says).usage('<verb>').helpCommand(false);
    if (loaded(name)) await (await load())(noun, heavy, wanted);
  }
  return program;
};

/** Commander's own complaints, in our words. */
const asUsage = (error: CommanderError): LichenError => {
  const text = error.message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .trim();
  return new LichenError('bad-usage', error.code === 'commander.help' ? 'a verb is missing; the help above lists them' : text);
};

/** `lichen`, with as many of the words as are a noun and a verb of it. */
const commandOf = (program: Command | null, words: (string | undefined)[]): string => {
  const [word, ...rest] = words;
  const found = program?.commands.find((command) => command.name() === word);
  return found === undefined ? '' : ` ${word}${commandOf(found, rest)}`;
};

const isShown = ({ code }: CommanderError): boolean => code === 'commander.helpDisplayed' || code === 'commander.version';

/** Runs one command line and returns its exit status; a gateway that was started goes on running. */
export const runCommandLine = async (args: string[], version: string, heavy: Heavy): Promise<number> => {
  const words = args[0] === 'help' ? [...args.slice(1), '--help'] : args;
  const [noun = '', verb] = words.filter((word) => !word.startsWith('-'));
  let program: Command | null = null;
  try {
    program = await makeProgram(version, heavy, (name) => name === noun, verb);
    if (words.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync(words, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    if (thrown instanceof CommanderError && isShown(thrown)) return 0;
    const command = `lichen${commandOf(program, [noun, verb])}`;
    return fail(thrown instanceof CommanderError ? asUsage(thrown) : thrown, words.includes('--json'), command);
  }
};
