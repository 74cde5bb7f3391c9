/**
 * What only some verbs need and what costs much to load. The entry hands it in: the command line itself sees the
 * protocol and can do nothing that the public API cannot.
 */
import type { Command } from 'commander';
import type { Hardware } from '../../runtime/protocol/hardware-report.ts';

export interface RunOptions {
  data: string;
  gateway?: string;
  operator: string;
  operatorDocs: string[];
  name: string;
  region: string;
  host: string;
  port: number;
  address: string;
  apiHost: string;
  apiPort: number;
  silenceMs: number;
  contentBytes: number;
}

export interface Running {
  gateway: string;
  port: number;
  apiPort: number;
  close(): Promise<void>;
}

/** Where a noun that is none of this room's says things. */
export interface Terminal {
  print(text: string): void;
  say(text: string): void;
  paint: Record<'bold' | 'dim' | 'red' | 'green', (text: string) => string>;
}

export interface Heavy {
  gateway(): Promise<(options: RunOptions) => Promise<Running>>;
  builder(): Promise<(release: Command, print: (text: string) => void) => void>;
  sim(): Promise<(sim: Command, terminal: Terminal) => void>;
  hardware(): Promise<() => Promise<Hardware>>;
  images(): Promise<(image: Command, terminal: Terminal) => void>;
}
