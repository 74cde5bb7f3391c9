/** COSE signatures (RFC 9052) in the project's profile: docs/spec/encoding.md, "Signatures". */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bytes, concat, fromHex, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { decode, encode } from '../../../runtime/protocol/cbor.ts';
import type { Value } from '../../../runtime/protocol/cbor-write.ts';
import { open1, openMany, sign1, signMany, typOf } from '../../../runtime/protocol/cose.ts';
import type { Signer } from '../../../runtime/protocol/crypto.ts';
import { keyOf, signerOf, testCrypto } from '../../support/crypto.ts';
import { noVectors, readLines } from '../../support/vectors.ts';

const signer = keyOf('signer');
const payload = utf8('This is the content.');
const TYP = 'lichen.test+cbor';
const none = new Uint8Array(0);

interface Parts {
  header?: [number, Value][];
  unprotected?: Value;
  /** Null is a value of its own. */
  payload?: Value;
  signature?: Value;
  tag?: string;
}

/** A COSE_Sign1 made by hand, correct but for what `parts` says. */
const made = (parts: Parts = {}): Bytes => {
  const entries: [number, Value][] = parts.header ?? [
    [1, -19],
    [4, signer.publicKey],
    [16, TYP],
  ];
  const header = encode(new Map(entries));
  const signature = signer.sign(encode(['Signature1', header, none, payload]));
  const body = encode([
    header,
    parts.unprotected ?? {},
    'payload' in parts ? parts.payload : payload,
    'signature' in parts ? parts.signature : signature,
  ]);
  return concat(fromHex(parts.tag ?? 'd2'), body);
};
const opens = (bytes: Bytes): Bytes[] => open1(testCrypto, TYP, bytes).signers;

describe('COSE_Sign1 [encoding-6, encoding-7, encoding-8]', () => {
  test('is what RFC 9052 builds by hand', () => {
    expect(hex(sign1(TYP, payload, signer))).toBe(hex(made()));
    expect(open1(testCrypto, TYP, made())).toEqual({ payload, signers: [signer.publicKey] });
    expect(typOf(made())).toBe(TYP);
  });

  test.each([0, 23, 24, 255, 256, 65_535, 65_536])('opens with a payload of %d bytes, wherever the document lies', (length) => {
    const content = new Uint8Array(length).fill(7);
    const document = sign1(TYP, content, signer);
    const among = concat(utf8('before'), document, utf8('behind')).subarray(6, 6 + document.length);
    for (const bytes of [document, among, Buffer.from(document)]) {
      const opened = open1(testCrypto, TYP, bytes);
      expect(hex(opened.payload)).toBe(hex(content));
      expect(hex(opened.signers[0] ?? none)).toBe(hex(signer.publicKey));
    }
    expect(() => opens(concat(document, none, utf8('x')))).toThrow(expect.objectContaining({ code: 'bad-cbor' }));
    expect(() => opens(document.subarray(0, -1))).toThrow(expect.objectContaining({ code: 'bad-cbor' }));
  });

  test.each<[string, Parts, string]>([
    ['another tag', { tag: 'd8d2' }, 'bad-cbor'],
    ['no tag', { tag: '' }, 'bad-cbor'],
    ['two tags', { tag: 'd2d2' }, 'bad-cbor'],
    ['the tag in a long form', { tag: 'd812' }, 'bad-cbor'],
    [
      'another algorithm',
      {
        header: [
          [1, -8],
          [4, signer.publicKey],
          [16, TYP],
        ],
      },
      'bad-signature',
    ],
    [
      'ES256',
      {
        header: [
          [1, -7],
          [4, signer.publicKey],
          [16, TYP],
        ],
      },
      'bad-signature',
    ],
    [
      'no algorithm',
      {
        header: [
          [4, signer.publicKey],
          [16, TYP],
        ],
      },
      'bad-cbor',
    ],
    [
      'another type',
      {
        header: [
          [1, -19],
          [4, signer.publicKey],
          [16, 'lichen.other+cbor'],
        ],
      },
      'bad-schema',
    ],
    [
      'no type',
      {
        header: [
          [1, -19],
          [4, signer.publicKey],
        ],
      },
      'bad-cbor',
    ],
    [
      'one more header',
      {
        header: [
          [1, -19],
          [3, 0],
          [4, signer.publicKey],
          [16, TYP],
        ],
      },
      'bad-cbor',
    ],
    [
      'a critical header',
      {
        header: [
          [1, -19],
          [2, [16]],
          [4, signer.publicKey],
          [16, TYP],
        ],
      },
      'bad-cbor',
    ],
    [
      'a short key',
      {
        header: [
          [1, -19],
          [4, signer.publicKey.subarray(1)],
          [16, TYP],
        ],
      },
      'bad-signature',
    ],
    [
      'a key that is text',
      {
        header: [
          [1, -19],
          [4, 'key'],
          [16, TYP],
        ],
      },
      'bad-cbor',
    ],
    [
      "another's key",
      {
        header: [
          [1, -19],
          [4, keyOf('other').publicKey],
          [16, TYP],
        ],
      },
      'bad-signature',
    ],
    ['an unprotected header', { unprotected: { kid: 1 } }, 'bad-cbor'],
    ['an unprotected header that is a list', { unprotected: [] }, 'bad-cbor'],
    ['another payload', { payload: utf8('This is the content!') }, 'bad-signature'],
    ['no payload', { payload: null }, 'bad-cbor'],
    ['a short signature', { signature: new Uint8Array(63) }, 'bad-signature'],
    ['no signature', { signature: null }, 'bad-cbor'],
  ])('is refused with %s', (_name, parts, code) => expect(() => opens(made(parts))).toThrow(code));

  test('is refused with external data, a field more or less, or bytes after it', () => {
    const header = encode(
      new Map<number, Value>([
        [1, -19],
        [4, signer.publicKey],
        [16, TYP],
      ]),
    );
    const other = signer.sign(encode(['Signature1', header, utf8('external'), payload]));
    expect(() => opens(made({ signature: other }))).toThrow('bad-signature');
    expect(() => opens(concat(fromHex('d2'), encode([header, {}, payload])))).toThrow('bad-cbor');
    expect(() => opens(concat(fromHex('d2'), encode([header, {}, payload, other, 0])))).toThrow('bad-cbor');
    expect(() => opens(concat(made(), none, new Uint8Array(1)))).toThrow('bad-cbor');
    expect(() => opens(none)).toThrow('bad-cbor');
  });

  test('does not survive a change of any one bit', () => {
    const good = made();
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = good.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(() => opens(bad)).toThrow(/^(bad-cbor|bad-schema|bad-signature)/);
    }
  });

  test('opens whatever was signed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (content) => {
        expect(open1(testCrypto, TYP, sign1(TYP, content, signer)).payload).toEqual(content);
      }),
    );
  });
});

describe('COSE_Sign [encoding-6, encoding-9]', () => {
  const trio = ['a', 'b', 'c'].map(keyOf);
  const body = encode(new Map([[16, TYP]]));
  const line = (by: Signer, of: Bytes = payload): Value => {
    const header = encode(
      new Map<number, Value>([
        [1, -19],
        [4, by.publicKey],
      ]),
    );
    return [header, {}, by.sign(encode(['Signature', body, header, none, of]))];
  };
  const lines = (...signatures: Value[]): Bytes => concat(fromHex('d862'), encode([body, {}, payload, signatures]));
  const open = (bytes: Bytes, most = 3): Bytes[] => openMany(testCrypto, TYP, bytes, most).signers;

  test('holds every signature in its order', () => {
    expect(hex(signMany(TYP, payload, trio))).toBe(hex(lines(...trio.map((by) => line(by)))));
    expect(open(lines(...trio.map((by) => line(by))))).toEqual(trio.map(({ publicKey }) => publicKey));
    expect(typOf(lines(line(signer)))).toBe(TYP);
  });

  test.each<[string, Bytes, string]>([
    ['none', lines(), 'bad-signature'],
    ['too many', lines(...[...trio, signer].map((by) => line(by))), 'bad-signature'],
    ['one twice', lines(line(signer), line(signer)), 'bad-signature'],
    ['one that does not hold', lines(line(signer), line(keyOf('b'), utf8('other'))), 'bad-signature'],
    ['a header too many', lines([...(line(signer) as Value[]), 0]), 'bad-cbor'],
    ['the other tag', concat(fromHex('d2'), lines(line(signer)).subarray(2)), 'bad-cbor'],
    [
      'a Sign1 signature inside',
      concat(fromHex('d862'), encode([body, {}, payload, [(decode(made().subarray(1)) as Value[]).slice(1)]])),
      'bad-cbor',
    ],
  ])('is refused with %s', (_name, bytes, code) => expect(() => open(bytes)).toThrow(code));

  test('never passes as COSE_Sign1, nor the other way round', () => {
    expect(() => opens(lines(line(signer)))).toThrow('bad-cbor');
    expect(() => open(made())).toThrow('bad-cbor');
  });
});

test('the type of what is no COSE document is nothing', () => {
  expect(typOf(none)).toBeNull();
  expect(typOf(encode({ a: 1 }))).toBeNull();
  expect(typOf(made({ header: [[1, -19]] }))).toBeNull();
});

/** The COSE working group's examples use EdDSA as −8 and ES256; the profile refuses all of them, and builds what it signs alike. */
describe.skipIf(noVectors)('the COSE working group’s examples (LICHEN_VECTORS)', () => {
  interface Example {
    name: string;
    case: {
      title: string;
      fail?: boolean;
      input: { plaintext: string; sign0?: Input; sign?: { signers: Input[] } };
      intermediates: { ToBeSign_hex?: string; signers?: { ToBeSign_hex: string }[] };
      output: { cbor: string };
    };
  }
  interface Input {
    key: { crv: string; x_hex?: string; d_hex?: string };
    external?: string;
  }
  const examples = noVectors ? [] : (readLines('cose-examples.jsonl') as Example[]);
  const bytesOf = (text: string): Bytes => fromHex(text.toLowerCase());

  test('are 13, and none is in the profile', () => {
    const refusals = examples.filter(({ case: { output } }) => {
      const cbor = bytesOf(output.cbor);
      const outcomes = [() => open1(testCrypto, TYP, cbor), () => openMany(testCrypto, TYP, cbor, 3)].map((open) => {
        try {
          open();
          return 'opened';
        } catch (thrown) {
          return String(thrown);
        }
      });
      return outcomes.every((outcome) => outcome.startsWith('LichenError: bad-'));
    });
    console.info(`COSE examples: ${examples.length} ran, ${examples.length - refusals.length} accepted, ${refusals.length} refused`);
    expect(examples).toHaveLength(13);
    expect(refusals).toHaveLength(13);
  });

  test('are signed over the bytes that the profile signs over', () => {
    const built = examples.flatMap(({ case: { input, intermediates } }) => {
      const external = bytesOf(input.sign0?.external ?? '');
      const structures =
        intermediates.ToBeSign_hex === undefined
          ? (intermediates.signers ?? []).map((one) => one.ToBeSign_hex)
          : [intermediates.ToBeSign_hex];
      return structures.map((wanted) => {
        const [context, ...rest] = decode(bytesOf(wanted)) as [string, ...Bytes[]];
        const headers = rest.slice(0, context === 'Signature1' ? 1 : 2);
        return [hex(encode([context, ...headers, external, utf8(input.plaintext)])), wanted.toLowerCase()];
      });
    });
    expect(built).toHaveLength(13);
    for (const [ours, theirs] of built) expect(ours).toBe(theirs);
  });

  test('verify with Ed25519, two of them, and fail in the same places when made anew for the profile', () => {
    const edwards = examples.flatMap(({ case: { input, intermediates, output } }) => {
      const key = (input.sign0 ?? input.sign?.signers[0])?.key;
      const wanted = intermediates.ToBeSign_hex ?? intermediates.signers?.[0]?.ToBeSign_hex ?? '';
      return key?.crv === 'Ed25519' ? [{ key, wanted, cbor: bytesOf(output.cbor) }] : [];
    });
    expect(edwards).toHaveLength(2);
    for (const { key, wanted, cbor } of edwards) {
      const signature = cbor.subarray(-64);
      const theirs = signerOf(bytesOf(key.d_hex ?? ''));
      expect(hex(theirs.publicKey)).toBe(key.x_hex);
      expect(hex(theirs.sign(bytesOf(wanted)))).toBe(hex(signature));
      expect(testCrypto.verify(theirs.publicKey, bytesOf(wanted), signature)).toBe(true);
      const anew = sign1(TYP, payload, theirs);
      expect(open1(testCrypto, TYP, anew).payload).toEqual(payload);
      // sign-fail-01, -02, -03, -06 and -07, on our own bytes.
      const [header, , , sealed] = decode(anew.subarray(1)) as [Bytes, unknown, Bytes, Bytes];
      const of = (entries: [number, Value][], content = payload): Bytes =>
        concat(fromHex('d2'), encode([encode(new Map(entries)), {}, content, sealed]));
      const kept: [number, Value][] = [
        [1, -19],
        [4, theirs.publicKey],
        [16, TYP],
      ];
      expect(hex(of(kept))).toBe(hex(anew));
      expect(header.length).toBeGreaterThan(32);
      const spoiled = [
        concat(fromHex('d903e6'), anew.subarray(1)),
        of(kept, utf8('This is the content/')),
        of([[1, -999], ...kept.slice(1)]),
        of([...kept, [3, 0]]),
        of(kept.slice(0, 2)),
      ];
      for (const bytes of spoiled) expect(() => open1(testCrypto, TYP, bytes)).toThrow(/bad-/);
    }
  });
});
