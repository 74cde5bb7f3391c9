/** The name of a board on its own network, `<hostname>.local` (RFC 6762), and that a page is there (RFC 6763): until it is paired. */
import type { SrvAnswer, StringAnswer, TxtAnswer } from 'dns-packet';
import multicastDns, { type MulticastDNS } from 'multicast-dns';
import type { Clock } from '../turn/clock.ts';

/** RFC 6762, section 10. */
const TTL_S = 120;
const LOOK_MS = 10_000;
const SERVICE = '_http._tcp.local';

export interface Interface {
  name: string;
  address: string;
}

type Answer = StringAnswer | SrvAnswer | TxtAnswer;
/** RFC 6762, section 5. */
const PORT = 5353;

/** Names are compared without case (RFC 6762, section 16). */
export const answersTo = (question: { name: string; type: string }, hostname: string, address: string, port: number): Answer[] => {
  const [host, service] = [`${hostname}.local`, `Lichen board ${hostname}.${SERVICE}`];
  const asked = question.name.toLowerCase();
  const any = question.type === 'ANY';
  const a: Answer = { name: host, type: 'A', ttl: TTL_S, data: address };
  if (asked === host.toLowerCase() && (any || question.type === 'A')) return [a];
  const here: Answer = { name: service, type: 'SRV', ttl: TTL_S, data: { port, target: host } };
  if (asked === SERVICE && (any || question.type === 'PTR')) return [{ name: SERVICE, type: 'PTR', ttl: TTL_S, data: service }, here, a];
  if (asked === service.toLowerCase() && (any || question.type === 'SRV')) return [here, a];
  if (asked === service.toLowerCase() && question.type === 'TXT') return [{ name: service, type: 'TXT', ttl: TTL_S, data: ['path=/'] }];
  return [];
};

export interface NameOptions {
  hostname: string;
  /** Of the page. */
  port: number;
  clock: Clock;
  /** Addresses come and go. */
  interfaces(): Interface[];
  /** Where names are asked for; another in tests. */
  group?: { ip: string; port: number; loopback: boolean };
}

/** One socket an address: each network is answered with the address that is valid there. */
export const openName = ({ hostname, port, clock, interfaces, group }: NameOptions): { close(): void } => {
  const sockets = new Map<string, MulticastDNS>();
  let closed = false;
  const drop = (address: string): void => {
    sockets.get(address)?.destroy();
    sockets.delete(address);
  };
  const listen = (address: string): void => {
    // What is sent to a group reaches no socket that is bound to one address.
    const mdns = multicastDns({ interface: address, bind: '0.0.0.0', ...group });
    // A network that goes takes its socket with it; the next look finds it again.
    mdns.on('error', () => drop(address));
    mdns.on('warning', () => undefined);
    mdns.on('query', ({ id, questions = [] }, asker) => {
      const answers = questions.flatMap((question) => answersTo(question, hostname, address, port));
      if (answers.length === 0) return;
      // Whoever asks from another port hears only what is sent back to it (RFC 6762, section 6.7).
      if (asker.port === (group?.port ?? PORT)) mdns.respond(answers);
      else mdns.respond({ id, questions, answers }, asker);
    });
    sockets.set(address, mdns);
  };
  const look = (): void => {
    if (closed) return;
    const now = new Set(interfaces().map((one) => one.address));
    for (const address of [...sockets.keys()]) if (!now.has(address)) drop(address);
    for (const address of now) if (!sockets.has(address)) listen(address);
    clock.after(LOOK_MS, look);
  };
  look();
  return {
    close: () => {
      closed = true;
      for (const address of [...sockets.keys()]) drop(address);
    },
  };
};
