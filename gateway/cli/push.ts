/** Pushing signed documents: over HTTP, or over MQTT as any MQTT client can. Both doors lead to the same place. */
import { setTimeout as pause } from 'node:timers/promises';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { requestIdOf, requestNoun } from '../../runtime/protocol/nouns/request.ts';
import { type ApiFlags, openClient, toldError } from './client.ts';
import { type Document, describe, rankOf, readDocument } from './documents.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag, say } from './output.ts';
import { checkTogether, type Known } from './push-check.ts';
import { hexBytes, hostPort, misused } from './words.ts';

export interface PushFlags extends ApiFlags {
  mqtt?: string;
  gatewayKey?: string;
  tenantKey?: string;
}

export interface Pusher {
  /** Where it pushes, for people. */
  to: string;
  /** Hex of what is still missing for a release. Errors: what the gateway refuses with, `unavailable`. */
  push(bytes: Bytes): Promise<string[]>;
  close(): void;
}

/** For connecting and for each answer. */
const MQTT_TIMEOUT_MS = 20_000;

const openMqtt = async (address: string, flags: PushFlags): Promise<Pusher> => {
  hostPort(address, '--mqtt');
  const gatewayKey = hexBytes(flags.gatewayKey ?? misused('--mqtt asks for --gateway-key HEX'), '--gateway-key');
  const { seed, signer } = readKey(flags.tenantKey ?? misused('--mqtt asks for --tenant-key FILE'));
  const { openPush } = await import('./mqtt-push.ts');
  const tenant = fingerprint(nodeCrypto, signer.publicKey);
  const session = await openPush({ address, gatewayKey, tenant, seed, timeoutMs: MQTT_TIMEOUT_MS, suffix: `cli-${process.pid}` });
  return {
    to: `mqtts://${address}`,
    push: async (bytes) => {
      const { ok, code, why, next, missing } = await session.push(bytes);
      if (!ok) throw toldError({ code, says: '', why, next });
      return missing.map(hex);
    },
    close: () => session.close(),
  };
};

export const openPusher = async (flags: PushFlags): Promise<Pusher> => {
  if (flags.mqtt !== undefined) return await openMqtt(flags.mqtt, flags);
  if (flags.gatewayKey !== undefined) misused('--gateway-key goes with --mqtt');
  const client = openClient(flags);
  return { to: client.url, push: async (body) => (await client.ask('push', { body })).missing, close: () => {} };
};

/** Runs with a pusher and closes it, whatever happened. */
export const withPusher = async <T>(flags: PushFlags, run: (pusher: Pusher) => Promise<T>): Promise<T> => {
  const pusher = await openPusher(flags);
  try {
    return await run(pusher);
  } finally {
    pusher.close();
  }
};

/** Of a refused document its file is named. */
const pushOne = async (pusher: Pusher, path: string, document: Document): Promise<void> => {
  try {
    await pusher.push(document.bytes);
  } catch (thrown) {
    throw thrown instanceof LichenError ? new LichenError(thrown.code, `${path}: ${thrown.detail}`, thrown.next) : thrown;
  }
};

const rowOf = (path: string, { kind, bytes, hash }: Document) => ({ file: path, kind, hash: hex(hash), bytes: bytes.length });

export const PUSHED = ['to', 'dryRun', 'documents'] as const;

/** Over MQTT nothing is asked but what is pushed. */
const knownAt = async (flags: PushFlags): Promise<Known> => {
  if (flags.mqtt !== undefined) return () => undefined;
  const releases = await openClient(flags).ask('releases');
  return (release) => {
    const found = releases.find((one) => one.release === hex(release));
    if (found === undefined) return undefined;
    const { parameters, parameterSchema } = found;
    return { parameters, ...(parameterSchema !== null && { parameterSchema }) };
  };
};

/** What a tenant does about a gateway that is lost before any other heard of its request. */
export const PUSH_AGAIN = 'should this one be lost before it reaches a peer, push the request again at another';
const COPY_LOOKS = 20;
const COPY_LOOK_MS = 100;

/** Says which of these requests no other gateway has after a moment. Over MQTT nothing is asked but what is pushed. */
export const tellAlone = async (flags: PushFlags, pushed: string[]): Promise<void> => {
  if (pushed.length === 0 || flags.mqtt !== undefined) return;
  const client = openClient(flags);
  for (let looks = 1; ; looks++) {
    // What was accepted was accepted, whatever else cannot be had.
    const known = await client.ask('requests').catch(() => []);
    const alone = known.filter(({ request, copied }) => !copied && pushed.includes(request));
    if (alone.length > 0 && looks < COPY_LOOKS) await pause(COPY_LOOK_MS);
    else return alone.forEach(({ name }) => void say(`${name}: no other gateway has it yet; ${PUSH_AGAIN}`));
  }
};

const requestsIn = (documents: Document[]): string[] =>
  documents.flatMap(({ kind, bytes }) => {
    if (kind !== 'request') return [];
    const { tenant, name } = unseal(nodeCrypto, requestNoun, bytes).value;
    return [requestIdOf(nodeCrypto, tenant, name)];
  });

/** Every file is opened before the first is sent: a typo in the last one leaves nothing half done. */
export const pushFiles = async (paths: string[], flags: PushFlags & JsonFlag & { dryRun?: boolean }): Promise<void> => {
  const opened = paths.map((path) => ({ path, document: readDocument(path) })).sort((a, b) => rankOf(a.document) - rankOf(b.document));
  const report = (to: string) => ({
    to,
    dryRun: flags.dryRun === true,
    documents: opened.map(({ path, document }) => rowOf(path, document)),
  });
  if (flags.dryRun === true) {
    const to = flags.mqtt === undefined ? openClient(flags).url : `mqtts://${flags.mqtt}`;
    const documents = opened.map(({ path, document }) => ({
      ...rowOf(path, document),
      signers: document.signers,
      document: document.value,
    }));
    emit(flags, { ...report(to), documents }, () =>
      opened.map(({ path, document }) => `would push ${path}: ${describe(document)} to ${to}`).join('\n'),
    );
    return;
  }
  checkTogether(opened, opened.some(({ document }) => document.kind === 'request') ? await knownAt(flags) : () => undefined);
  const to = await withPusher(flags, async (pusher) => {
    for (const { path, document } of opened) {
      await pushOne(pusher, path, document);
      say(`${path}: accepted`);
    }
    return pusher.to;
  });
  await tellAlone(flags, requestsIn(opened.map(({ document }) => document)));
  emit(flags, report(to), () => opened.map(({ document }) => describe(document)).join('\n'));
};
