/** A tree of files as it will lie in an image, before it is anywhere: paths without a leading slash. */
export type Entry =
  | { kind: 'directory'; mode: number }
  | { kind: 'link'; to: string }
  /** `from`: a file of this machine; `bytes`: made here. */
  | { kind: 'file'; mode: number; from: string }
  | { kind: 'file'; mode: number; bytes: Uint8Array };

export type Tree = Map<string, Entry>;

/** Directories above each entry, so that a tree can be written in its own order. */
export const withParents = (tree: Tree): Tree => {
  const whole: Tree = new Map(tree);
  for (const path of tree.keys())
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const parent = path.slice(0, at);
      if (!whole.has(parent)) whole.set(parent, { kind: 'directory', mode: 0o755 });
    }
  return new Map([...whole].sort(([one], [other]) => (one < other ? -1 : 1)));
};

export const text = (content: string, mode = 0o644): Entry => ({ kind: 'file', mode, bytes: Buffer.from(content) });
