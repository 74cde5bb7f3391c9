/** How the story speaks: lines for a person, and a list of what held. */
import pc from 'picocolors';

export interface Teller {
  act(number: number, title: string): void;
  say(line: string): void;
  /** A claim of the story; one that does not hold fails the whole. */
  check(holds: boolean, what: string): void;
  failed(): string[];
}

/** With `--json` stdout belongs to the last line, so people's lines go to stderr. */
export const openTeller = (json: boolean, startedMs: number): Teller => {
  const out = json ? process.stderr : process.stdout;
  const failures: string[] = [];
  const stamp = (): string => pc.dim(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)}s`);
  return {
    act: (number, title) => void out.write(`\n${pc.bold(`${number}. ${title}`)}\n`),
    say: (line) => void out.write(`${stamp()}  ${line}\n`),
    check: (holds, what) => {
      if (!holds) failures.push(what);
      out.write(`${stamp()}  ${holds ? pc.green('✓') : pc.red('✗')} ${what}\n`);
    },
    failed: () => failures,
  };
};
