// Conversations are trees of turns; `head` is the turn whose branch is shown.
//
// The same JSON as playground/chat/conversation.py: {head, turns: {ID: {id, parent, query, replies}}}.
// A reply carries more than Python reads there: its seed, and the time to its first token.

export function empty() {
  return { head: null, turns: {} };
}

/** The turns from the first to the head. */
export function path(conversation) {
  const turns = [];
  let turn = conversation.turns[conversation.head];
  for (; turn; turn = conversation.turns[turn.parent]) turns.unshift(turn);
  return turns;
}

/** A new turn under `parent` becomes the head. */
export function addTurn(conversation, query, parent = conversation.head) {
  const turn = { id: newId(), parent, query, replies: {} };
  conversation.turns[turn.id] = turn;
  conversation.head = turn.id;
  return turn;
}

/** A reply that nothing has been written of yet; left like this by a reload, it reads as stopped. */
export function openReply() {
  return { text: '', finish_reason: 'cancelled', error: null };
}

function newId() {
  // crypto.randomUUID is only there on secure origins, and a page on a LAN is none
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
