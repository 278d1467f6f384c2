// The encoding of a file, told by its first bytes. Other encodings than these are told by the program itself,
// where it reads the file: from the command line, or when a prompt is imported.

const MARKS = [
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

/** A decoder that throws at bytes that are not of the encoding. `head` holds the file's first bytes. */
export function decoderOf(head) {
  const bytes = new Uint8Array(head);
  const found = MARKS.find(([mark]) => mark.every((byte, i) => bytes[i] === byte));
  return new TextDecoder(found ? found[1] : 'utf-8', { fatal: true });
}
