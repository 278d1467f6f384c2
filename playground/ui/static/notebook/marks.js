// Which stretches of a text a model wrote, `[[start, end], ...]` in order, as the text is edited.

/** Marks after `[from, to)` gave way to `length` characters of somebody's own: those are not marked. */
export function edited(marks, from, to, length) {
  const by = length - (to - from);
  const kept = [];
  for (const [start, end] of marks) {
    if (end <= from) kept.push([start, end]);
    else if (start >= to) kept.push([start + by, end + by]);
    else {
      if (start < from) kept.push([start, from]);
      if (end > to) kept.push([to + by, end + by]);
    }
  }
  return kept;
}

/** Marks with `[from, to)` too; neighbours become one. */
export function marked(marks, from, to) {
  const all = [...marks, [from, to]].sort((one, other) => one[0] - other[0]);
  const joined = [];
  for (const [start, end] of all) {
    const last = joined.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}

/** An offset after the same edit; within what was replaced it goes to its end. */
export function moved(offset, from, to, length) {
  if (offset < from) return offset;
  return Math.max(offset, to) - (to - from) + length;
}

/** The one stretch in which two texts differ: `{from, to, length}`; `from` is at most `most`. */
export function difference(before, after, most = Infinity) {
  const shorter = Math.min(before.length, after.length);
  const limit = Math.min(shorter, most);
  let from = 0;
  while (from < limit && before.charCodeAt(from) === after.charCodeAt(from)) from += 1;
  let same = 0;
  while (
    same < shorter - from &&
    before.charCodeAt(before.length - 1 - same) === after.charCodeAt(after.length - 1 - same)
  ) {
    same += 1;
  }
  return { from, to: before.length - same, length: after.length - same - from };
}
