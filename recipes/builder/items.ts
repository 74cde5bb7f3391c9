/** What goes into a release, before it is cut into chunks. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';

/** A package that others made. */
export interface Material {
  name: string;
  version: string;
  /** Package URL. */
  purl: string;
  sha256: string | null;
}

/** `version`: empty where nobody says. */
export const npmMaterial = (name: string, version: string): Material => ({
  ...{ name, version, sha256: null },
  purl: `pkg:npm/${name.replace('@', '%40')}${version === '' ? '' : `@${encodeURIComponent(version)}`}`,
});

export type Item =
  /** `of`: the package that it comes from; `bundled`: what the bundler took into it. */
  | { kind: 'file'; path: string; executable: boolean; bytes: Bytes; of?: Material; bundled?: Material[] }
  | { kind: 'link'; path: string; target: string }
  | { kind: 'dir'; path: string };

/** `.` is the top of the release. */
export const joinPath = (top: string, rest: string): string => (top === '.' ? rest : `${top}/${rest}`);
