/** Words between boards of one network: asked by multicast (IPv4, one hop), answered to who asked alone. */
import { createSocket, type Socket } from 'node:dgram';
import { BlockList } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Bytes } from '../../protocol/bytes.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { codeOf } from '../disk.ts';

/** Of those that a site gives itself (RFC 2365), as no router passes it on. */
const GROUP = '239.255.76.67';
const SECOND_MS = 1000;
/** Between two looks at which networks there are. */
const JOIN_MS = 10_000;

export interface OwnAddress {
  address: string;
  /** The network that it is in, `192.0.2.7/24`. */
  cidr: string;
}

/** Those of partitions have no IPv4 address. */
export const ownAddresses = (): OwnAddress[] =>
  Object.values(networkInterfaces()).flatMap((all = []) =>
    all.flatMap(({ family, internal, address, cidr }) => (family === 'IPv4' && !internal && cidr !== null ? [{ address, cidr }] : [])),
  );

/** Whether an address is in one of the board's own networks. */
export const onLink = (address: string, own: readonly OwnAddress[]): boolean => {
  const plain = address.replace(/^::ffff:/, '');
  const networks = new BlockList();
  for (const { cidr } of own) {
    const [network = '', bits = ''] = cidr.split('/');
    networks.addSubnet(network, Number(bits), 'ipv4');
  }
  return /^[0-9.]+$/.test(plain) && networks.check(plain, 'ipv4');
};

export interface Heard {
  bytes: Bytes;
  address: string;
  /** To whoever said it, and nobody else. */
  answer(bytes: Bytes): void;
}

export interface Words {
  /** To all boards of all own networks. */
  sayToAll(bytes: Bytes): void;
  close(): void;
}

export interface WordsOptions {
  port: number;
  own(): OwnAddress[];
  heard(word: Heard): void;
  failed(why: string): void;
}

/** One socket hears what is said to all, beside those of other boards on this machine; the other asks, and hears the answers. */
export const openWords = ({ port, own, heard, failed }: WordsOptions): Words => {
  const ears = createSocket({ type: 'udp4', reuseAddr: true });
  const mouth = createSocket('udp4');
  const joined = new Set<string>();
  let open = true;
  let [count, sinceMs] = [0, 0];
  const isTooMuch = (): boolean => {
    const nowMs = performance.now();
    if (nowMs - sinceMs >= SECOND_MS) [count, sinceMs] = [0, nowMs];
    return ++count > LIMITS.neighbourWordsPerS;
  };
  const listen = (socket: Socket): void => {
    socket.on('error', (error) => open && failed(error.message));
    socket.on('message', (bytes, { address, port: from }) => {
      if (!open || bytes.length > LIMITS.neighbourWordBytes || isTooMuch() || !onLink(address, own())) return;
      heard({ bytes: new Uint8Array(bytes), address, answer: (back) => open && mouth.send(back, from, address, () => undefined) });
    });
  };
  /** Addresses come and go: a board may be started before it has any. */
  const join = (): void => {
    const now = own();
    for (const address of joined) if (!now.some((one) => one.address === address)) joined.delete(address);
    for (const { address } of now) {
      if (joined.has(address)) continue;
      try {
        ears.addMembership(GROUP, address);
        joined.add(address);
      } catch (thrown) {
        // It was there before, went and came back: the kernel still has it.
        if (codeOf(thrown) === 'EADDRINUSE') joined.add(address);
        else failed(thrown instanceof Error ? thrown.message : 'a network could not be joined');
      }
    }
  };
  listen(ears);
  listen(mouth);
  ears.bind(port, join);
  const looking = setInterval(join, JOIN_MS);
  looking.unref();
  const isBound = new Promise<void>((resolve) => mouth.bind(0, resolve));
  return {
    sayToAll: (bytes) =>
      void isBound.then(() => {
        if (!open) return;
        for (const { address } of own()) {
          try {
            mouth.setMulticastInterface(address);
            mouth.setMulticastTTL(1);
            mouth.send(bytes, port, GROUP, () => undefined);
          } catch {
            // That network has just gone.
          }
        }
      }),
    close: () => {
      open = false;
      clearInterval(looking);
      ears.close();
      mouth.close();
    },
  };
};
