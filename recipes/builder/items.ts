/** What goes into a release, before it is cut into chunks. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';

export type Item =
  | { kind: 'file'; path: string; executable: boolean; bytes: Bytes }
  | { kind: 'link'; path: string; target: string }
  | { kind: 'dir'; path: string };

/** `.` is the top of the release. */
export const joinPath = (top: string, rest: string): string => (top === '.' ? rest : `${top}/${rest}`);
