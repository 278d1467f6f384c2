// A file of questions on its way to the server, in parts that are whole characters.

import { decoderOf } from '../decoding.js';
import { t } from '../text.js';
import { call } from '../wire.js';

const PART_BYTES = 2_000_000;

/** Send a file; the question set that it is in the list. */
export async function sendFile(file) {
  const id = `q${crypto.getRandomValues(new Uint32Array(2)).join('')}`;
  const decoder = decoderOf(await file.slice(0, 2).arrayBuffer());
  for (let at = 0; ; at += PART_BYTES) {
    const bytes = await file.slice(at, at + PART_BYTES).arrayBuffer();
    const last = at + PART_BYTES >= file.size;
    let text;
    try {
      text = decoder.decode(bytes, { stream: !last });
    } catch {
      throw new Error(t('pick.not_text', { name: file.name }));
    }
    const held = await call('experiment_questions', { file: id, name: file.name, text, last });
    if (last) return held;
  }
}
