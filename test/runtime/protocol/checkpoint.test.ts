/** Heads of logs as C2SP checkpoints in signed notes. */
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../runtime/protocol/bytes.ts';
import { bodyOf, type Checkpoint, openCheckpoint, readCheckpoint, signCheckpoint, signLine } from '../../../runtime/protocol/checkpoint.ts';
import { keyOf, signerOf, testCrypto } from '../../support/crypto.ts';

const [author, peer] = [keyOf('author'), keyOf('peer')];
const head: Checkpoint = { author: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', size: 12_345_678_901, root: testCrypto.sha256(utf8('root')) };
const note = signCheckpoint(testCrypto, head, author);
const open = (text: string, name = head.author, key = author.publicKey): Checkpoint => openCheckpoint(testCrypto, text, name, key);

describe('a checkpoint [encoding-17]', () => {
  test('is the text that tlog-checkpoint and signed-note ask for, and opens again', () => {
    const [origin, size, root, blank, signature, end, ...rest] = note.split('\n');
    expect([origin, size, root]).toEqual([`lichen/log/${head.author}`, '12345678901', Buffer.from(head.root).toString('base64')]);
    expect([blank, end, rest]).toEqual(['', '', []]);
    expect(signature).toMatch(/^\u2014 a{32} [A-Za-z0-9+/]{91}=$/);
    expect(open(note)).toEqual(head);
    expect(open(signCheckpoint(testCrypto, { ...head, size: 0 }, author)).size).toBe(0);
  });

  test('that was verified before is read without a key', () => {
    expect(readCheckpoint(note)).toEqual(head);
    for (const text of ['', bodyOf(head)]) expect(() => readCheckpoint(text)).toThrow('bad-schema');
  });

  test('is signed as golang.org/x/mod/sumdb/note signs its example', () => {
    const seed = Uint8Array.from(Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1));
    const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    expect(signLine(testCrypto, text, 'PeterNeumann', signerOf(seed))).toBe(
      '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
    );
  });

  test('takes countersignatures, each by its own name', () => {
    const both = note + signLine(testCrypto, bodyOf(head), 'peer', peer);
    expect(open(both)).toEqual(head);
    expect(open(both, 'peer', peer.publicKey)).toEqual(head);
    expect(() => open(both, 'peer')).toThrow('bad-signature');
    expect(() => open(both, 'nobody')).toThrow('bad-signature');
    expect(() => open(note, head.author, peer.publicKey)).toThrow('bad-signature');
  });

  test('does not survive a change of any one letter', () => {
    for (let at = 0; at < note.length - 1; at++) {
      const changed = note.slice(0, at) + (note[at] === 'A' ? 'B' : 'A') + note.slice(at + 1);
      expect(() => open(changed), `letter ${at}`).toThrow(/bad-(schema|signature)/);
    }
  });

  test.each([
    ['nothing', ''],
    ['a body alone', bodyOf(head)],
    ['no signature', `${bodyOf(head)}\n`],
    ['another origin', signOver(`other/log/${head.author}\n1\n${root64()}\n`)],
    ['a size with a leading zero', signOver(`lichen/log/${head.author}\n01\n${root64()}\n`)],
    ['a negative size', signOver(`lichen/log/${head.author}\n-1\n${root64()}\n`)],
    ['a size beyond what is exact', signOver(`lichen/log/${head.author}\n99999999999999999\n${root64()}\n`)],
    ['a short root', signOver(`lichen/log/${head.author}\n1\n${root64().slice(4)}\n`)],
    ['a root that is no base64', signOver(`lichen/log/${head.author}\n1\n${root64().replace(/.$/, '*')}\n`)],
    ['lines beyond the third', signOver(`lichen/log/${head.author}\n1\n${root64()}\nmore\n`)],
    ['a signature cut short', `${note.slice(0, -8)}\n`],
  ])('is refused with %s', (_name, text) => expect(() => open(text)).toThrow(/bad-(schema|signature)/));
});

function root64(): string {
  return Buffer.from(head.root).toString('base64');
}

function signOver(body: string): string {
  return `${body}\n${signLine(testCrypto, body, head.author, author)}`;
}
