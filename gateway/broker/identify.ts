/** Who a CONNECT comes from: the key of the TLS certificate decides, the client id must agree with it. */
import type { ConnectPacket } from 'aedes';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { type Party, TOPICS, topicOf } from '../../runtime/protocol/topics.ts';
import type { Gatekeeper } from '../service/doors.ts';

export interface Identified {
  party: Party;
  id: string;
  clientId: string;
  /** A board's last will. */
  will: Bytes | null;
}

/** A board's client id is its board id; a tenant may add `-` and a word of its own, to have several clients. */
const CLIENT_ID = /^([a-z2-7]{32})(-[a-z0-9-]{1,32})?$/;

const partyOf = (gatekeeper: Gatekeeper, clientId: string, key: Bytes): { party: Party; id: string } | LichenError => {
  const [, id, suffix] = CLIENT_ID.exec(clientId) ?? [];
  if (id === undefined) return new LichenError('not-paired', 'the client id is none of a board or tenant');
  let refused: LichenError | null = null;
  for (const party of suffix === undefined ? (['board', 'tenant'] as const) : (['tenant'] as const)) {
    const known = gatekeeper(party, id, key);
    if (!(known instanceof LichenError)) {
      return known.id === id ? { party, id } : new LichenError('wrong-signer', `the key is that of ${known.id}, the client id says ${id}`);
    }
    // "Revoked" says more than "not known among the tenants either".
    if (refused === null || refused.code === 'unknown-key') refused = known;
  }
  return refused ?? new LichenError('unknown-key', 'no such board or tenant');
};

const willOf = (packet: ConnectPacket, party: Party, id: string): Bytes | null | LichenError => {
  const { will } = packet;
  if (will === undefined) return null;
  const payload = typeof will.payload === 'string' ? Buffer.from(will.payload) : will.payload;
  if (party !== 'board' || will.topic !== topicOf('gone', id)) return new LichenError('foreign-topic', `a last will on ${will.topic}`);
  if (will.retain === true || (will.qos ?? 0) > 1) return new LichenError('bad-packet', 'a last will that is retained or of QoS 2');
  return payload.length <= TOPICS.gone.maxBytes
    ? new Uint8Array(payload)
    : new LichenError('too-large', `a last will of ${payload.length} bytes`);
};

const offProfile = (packet: ConnectPacket): string | null => {
  if (packet.protocolVersion !== 4) return 'not MQTT 3.1.1';
  if (packet.clean !== true) return 'not a clean session';
  if (!packet.keepalive || packet.keepalive > LIMITS.keepaliveMaxS)
    return `a keep alive of ${packet.keepalive ?? 0} s, not 1 to ${LIMITS.keepaliveMaxS}`;
  return null;
};

/** Errors: `bad-packet`, `foreign-topic`, `not-paired`, `wrong-signer`, and what the gatekeeper says. */
export const identify = (gatekeeper: Gatekeeper, packet: ConnectPacket, key: Bytes): Identified | LichenError => {
  const fault = offProfile(packet);
  if (fault !== null) return new LichenError('bad-packet', fault);
  const known = partyOf(gatekeeper, packet.clientId, key);
  if (known instanceof LichenError) return known;
  const will = willOf(packet, known.party, known.id);
  return will instanceof LichenError ? will : { ...known, clientId: packet.clientId, will };
};
