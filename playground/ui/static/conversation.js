// Conversations are trees of turns; `head` is the last turn of the branch that is shown. The one place that
// knows how the tree hangs together; whoever looks at it or changes it calls a function of this module.
//
// The same JSON as playground/chat/conversation.py: {head, turns: {ID: {id, parent, query, replies}}}.
// Siblings are the turns of the same `parent` (null for first ones), in the order of `turns`, which is the
// order in which they were asked: a question asked again, a question edited, and one side's answer tried
// again are all siblings of the first. Nothing is ever deleted. A turn remembers in `shown` which of its
// children was looked at last, so that switching away and back shows what stood there.
// A reply carries more than Python reads: its seed, and the time to its first token.

export function empty() {
  return { head: null, turns: {} };
}

/** The turns from the first to `head`. */
export function path(conversation, head = conversation.head) {
  const turns = [];
  let turn = conversation.turns[head];
  for (; turn; turn = conversation.turns[turn.parent]) turns.unshift(turn);
  return turns;
}

/** The turns that branch off at the same place, the turn itself among them. */
export function siblings(conversation, turn) {
  return Object.values(conversation.turns).filter(({ parent }) => parent === turn.parent);
}

/** A new turn under `parent` becomes the head. */
export function addTurn(conversation, query, parent = conversation.head) {
  const turn = { id: newId(), parent, query, replies: {} };
  conversation.turns[turn.id] = turn;
  look(conversation, turn.id);
  return turn;
}

/** The turn's question again as a sibling, with all its answers but those of `side`; it becomes the head. */
export function addWithout(conversation, turn, side) {
  const again = addTurn(conversation, turn.query, turn.parent);
  for (const [id, reply] of Object.entries(turn.replies)) {
    if (id !== side) again.replies[id] = structuredClone(reply);
  }
  return again;
}

/** Show the branch that goes through `turn`, as deep as it was looked at last. */
export function show(conversation, turn) {
  let last = turn;
  for (let next = turn; next; next = shownChild(conversation, next)) last = next;
  look(conversation, last.id);
}

function shownChild(conversation, turn) {
  const children = Object.values(conversation.turns).filter(({ parent }) => parent === turn.id);
  return children.find(({ id }) => id === turn.shown) ?? children.at(-1);
}

/** Make a turn (null: nothing asked yet) the head. */
export function look(conversation, head) {
  conversation.head = head;
  for (const turn of path(conversation)) {
    const above = conversation.turns[turn.parent];
    if (above) above.shown = turn.id;
  }
}

/** Give a side every answer that another one gave, in all branches. */
export function copyReplies(conversation, from, to) {
  for (const { replies } of Object.values(conversation.turns)) {
    if (from in replies) replies[to] = structuredClone(replies[from]);
  }
}

/** Whether a side answered anything in any branch. */
export function hasReplies(conversation, side) {
  return Object.values(conversation.turns).some(({ replies }) => side in replies);
}

/** What Python must know to ask `head`'s question: the branch alone, and of each answer its text. */
export function branch(conversation, head = conversation.head) {
  const turns = {};
  for (const { id, parent, query, replies } of path(conversation, head)) {
    const texts = Object.entries(replies).map(([side, { text }]) => [side, { text }]);
    turns[id] = { id, parent, query, replies: Object.fromEntries(texts) };
  }
  return JSON.stringify({ head, turns });
}

/** A reply that nothing has been written of yet; left like this by a reload, it reads as stopped. */
export function openReply() {
  return { text: '', finish_reason: 'cancelled', error: null };
}

/** A name for a turn or a run that no other has. */
export function newId() {
  // crypto.randomUUID is only there on secure origins, and a page on a LAN is none
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
