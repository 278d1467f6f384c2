// Whether answers are looked at token by token, and what of their tokens is kept.

import { session } from './store.js';

export const TOP = 5;

/** `off`, or what tokens are coloured by. */
export function lensMode() {
  return session.view.lens ?? 'off';
}

/** How many alternatives a run asks for; null for text alone, which costs the model less. */
export function askedLogprobs() {
  return lensMode() === 'off' ? null : TOP;
}

/** Take the tokens of a line of the stream into the answer; `all` are all so far, else those that are new. */
export function takeRows(reply, rows = [], all = false) {
  reply.rows ??= [];
  const before = reply.lead ?? 0; // rows that never came over the line
  for (const row of all ? rows.slice(reply.rows.length - before) : rows) {
    // What an answer goes on from comes back bare; what was known of it before holds.
    reply.rows.push(reply.kept?.[reply.rows.length] ?? row);
  }
}
