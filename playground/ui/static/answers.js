// The answers of one side to one turn: the one that is shown stands in `turn.replies`, those beside it in
// `turn.others[side]` = {place, replies}, where `place` is the shown one's among all. The same as Python's
// conversation.py, which reads the shown ones alone. An answer may carry a `name`, and in `forked` how many
// tokens it shares with the one it left.

/** All answers in the order they came, the shown one among them. */
export function answersOf(turn, side) {
  const shown = turn.replies[side];
  const others = turn.others?.[side];
  if (!others) return shown ? [shown] : [];
  const all = [...others.replies];
  if (shown) all.splice(others.place, 0, shown);
  return all;
}

/** Which of them is shown. */
export function placeOf(turn, side) {
  return turn.others?.[side]?.place ?? 0;
}

function arrange(turn, side, all, place) {
  turn.replies[side] = all[place];
  turn.others ??= {};
  if (all.length < 2) delete turn.others[side];
  else turn.others[side] = { place, replies: all.filter((_, i) => i !== place) };
}

export function showAnswer(turn, side, place) {
  const all = answersOf(turn, side);
  arrange(turn, side, all, (place + all.length) % all.length);
}

/** Add an answer behind the others and show it. */
export function addAnswer(turn, side, reply) {
  const all = [...answersOf(turn, side), reply];
  arrange(turn, side, all, all.length - 1);
}

/** Make room for one more answer: those there are step aside, and nothing is shown until it begins. */
export function stepAside(turn, side) {
  const all = answersOf(turn, side);
  delete turn.replies[side];
  turn.others ??= {};
  if (all.length) turn.others[side] = { place: all.length, replies: all };
}

/** Take the shown answer away; the one before it is shown. Returns what puts it back. */
export function pruneAnswer(turn, side) {
  const all = answersOf(turn, side);
  const place = placeOf(turn, side);
  arrange(turn, side, all.filter((_, i) => i !== place), Math.max(0, place - 1));
  return () => arrange(turn, side, all, place);
}

/**
 * Which tokens of each answer are not in the first one, and of the first which are not in all others: arrays of
 * booleans. By the longest common subsequence of `keys`; where that would take too long by what they begin and
 * end with.
 */
export function differing(keys) {
  const [first, ...rest] = keys;
  const lost = rest.map((one) => missing(one, first));
  return [first.map((_, i) => lost.some((marks) => marks[i])), ...rest.map((one) => missing(first, one))];
}

const MOST_CELLS = 4_000_000;

function missing(first, one) {
  const marks = one.map(() => true);
  let start = 0;
  while (start < one.length && start < first.length && one[start] === first[start]) marks[start++] = false;
  let [i, j] = [first.length, one.length];
  while (i > start && j > start && first[i - 1] === one[j - 1]) [i, j] = [i - 1, j - 1], (marks[j] = false);
  const [rows, columns] = [i - start, j - start];
  if (!rows || !columns || rows * columns > MOST_CELLS) return marks;
  const length = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  for (let a = rows - 1; a >= 0; a--)
    for (let b = columns - 1; b >= 0; b--)
      length[a][b] =
        first[start + a] === one[start + b]
          ? length[a + 1][b + 1] + 1
          : Math.max(length[a + 1][b], length[a][b + 1]);
  for (let a = 0, b = 0; a < rows && b < columns; ) {
    if (first[start + a] === one[start + b]) [marks[start + b], a, b] = [false, a + 1, b + 1];
    else if (length[a + 1][b] >= length[a][b + 1]) a += 1;
    else b += 1;
  }
  return marks;
}

/** What was said to the person: the text without the thinking at its start. */
export function saidBy(reply) {
  return reply.text.slice(reply.thinking_chars ?? 0);
}
