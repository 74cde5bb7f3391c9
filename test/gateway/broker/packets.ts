/** MQTT packets by hand, so that a test can send what no client library would. */
const text = (word: string): Buffer => Buffer.concat([Buffer.from([word.length >> 8, word.length & 255]), Buffer.from(word)]);

export const remainingLength = (length: number): Buffer => {
  const bytes: number[] = [];
  do {
    const more = length >= 128 ? 128 : 0;
    bytes.push((length & 127) | more);
    length >>= 7;
  } while (length > 0);
  return Buffer.from(bytes);
};

export const packet = (first: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([first]), remainingLength(body.length), body]);
};

export interface Connect {
  clientId: string;
  clean?: boolean;
  keepaliveS?: number;
  will?: { topic: string; payload?: Buffer; qos?: number; retain?: boolean };
  level?: number;
}

export const connect = ({ clientId, clean = true, keepaliveS = 60, will, level = 4 }: Connect): Buffer => {
  const willFlags = will === undefined ? 0 : 4 | ((will.qos ?? 0) << 3) | (will.retain === true ? 32 : 0);
  const payload = will?.payload ?? Buffer.alloc(0);
  const willParts = will === undefined ? [] : [text(will.topic), Buffer.from([payload.length >> 8, payload.length & 255]), payload];
  const head = [
    text(level === 3 ? 'MQIsdp' : 'MQTT'),
    Buffer.from([level, (clean ? 2 : 0) | willFlags, keepaliveS >> 8, keepaliveS & 255]),
  ];
  return packet(0x10, ...head, text(clientId), ...willParts);
};

export const publish = (topic: string, payload: Buffer, { qos = 0, retain = false, id = 1 } = {}): Buffer => {
  const idBytes = qos > 0 ? Buffer.from([id >> 8, id & 255]) : Buffer.alloc(0);
  return packet(0x30 | (qos << 1) | (retain ? 1 : 0), text(topic), idBytes, payload);
};

export const subscribe = (topics: [topic: string, qos: number][], id = 1): Buffer =>
  packet(0x82, Buffer.from([id >> 8, id & 255]), ...topics.flatMap(([topic, qos]) => [text(topic), Buffer.from([qos])]));

export const PINGREQ = Buffer.from([0xc0, 0]);
export const PINGRESP = Buffer.from([0xd0, 0]);
export const CONNECTED = Buffer.from([0x20, 2, 0, 0]);
export const refusedWith = (code: number): Buffer => Buffer.from([0x20, 2, 0, code]);
