// What the files on this computer say of themselves: asked once a file, one file after another.

import { call } from '../wire.js';

const known = new Map(); // model -> {key, promise}
let last = Promise.resolve();

/** Give `heard` what the model's file says: `{reading, settings}`, `reading` null where there is no file. */
export function readingOf(model, heard) {
  if (!model.present) return;
  const key = `${model.path} ${model.size_bytes} ${model.kind}`;
  let one = known.get(model.id);
  if (one?.key !== key) {
    const promise = (last = last.then(() => call('shelf_details', { name: model.id })).catch((error) => ({ reading: null, settings: {}, error: error.message })));
    one = { key, promise, answer: null };
    promise.then((answer) => (one.answer = answer));
    known.set(model.id, one);
  } else if (one.answer) return heard(one.answer);
  one.promise.then(heard);
}
