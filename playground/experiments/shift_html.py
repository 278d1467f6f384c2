"""Shift as one HTML page to send to someone: text, colours and charts, no script, nothing to be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.experiments.shift import ContextShift, Position, ShiftReport
from playground.experiments.shift_report import CLASSES, ContextSummary, summarise

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 160, 40, 24, 10
_MOST_ANSWERS = 200
_SIGNS = {"\n": "↵\n", "\t": "⇥\t"}
_STYLE = """
:root { color-scheme: light dark; --text: #1e293b; --muted: #586880; --line: #e2e8f0; --ground: #fff;
  --heat: #f97316; --warm: #eab308; --accent: #4f46e5; }
@media (prefers-color-scheme: dark) { :root { --text: #e2e8f0; --muted: #94a3b8; --line: #334155;
  --ground: #0f172a; --accent: #818cf8; } }
body { max-width: 960px; margin: 32px auto; padding: 0 16px; background: var(--ground); color: var(--text);
  font: 15px/1.6 system-ui, sans-serif; }
h1 { font-size: 20px; } h2 { margin: 28px 0 6px; font-size: 16px; }
h3 { margin: 12px 0 2px; font-size: 14px; }
.muted, figcaption { color: var(--muted); font-size: 13px; }
.answer { padding: 8px 12px; border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap;
  overflow-wrap: anywhere; tab-size: 4; }
.marginal { background: color-mix(in srgb, var(--warm) 42%, transparent); }
.shifted { background: color-mix(in srgb, var(--heat) 58%, transparent); }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
td, th { padding: 2px 14px 2px 0; border-bottom: 1px solid var(--line); font-weight: 400; text-align: left; }
figure { margin: 8px 0; } svg text { fill: var(--muted); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); } polyline { fill: none; stroke-width: 2; }
.s0 { stroke: var(--muted); stroke-dasharray: 4 3; } .s1 { stroke: var(--accent); }
.k0 { color: var(--muted); } .k1 { color: var(--accent); }
"""


def page(reports: Sequence[ShiftReport], *, base: str, aligned: str) -> str:
    """The page over one or many answers. Whatever a person or a model wrote is text in it, never markup."""
    summaries = summarise(reports)
    parts = [
        f"<h1>Token shift: {escape(aligned)} under {escape(base)}</h1>",
        '<p class="muted">The aligned model\'s greedy answer, token by token, as the base model sees it: '
        'rank 1 unshifted, <span class="marginal">2 or 3 marginal</span>, '
        '<span class="shifted">above 3 shifted</span> (arXiv 2312.01552).</p>',
        _figures(summaries, len(reports)),
        _curve(summaries),
        _most(summaries),
    ]
    parts += [_answer(report) for report in reports[:_MOST_ANSWERS]]
    if len(reports) > _MOST_ANSWERS:
        parts.append(f'<p class="muted">{len(reports) - _MOST_ANSWERS:,} more answers are not shown.</p>')
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>Token shift</title><style>{_STYLE}</style></head><body>",
            *parts,
            "</body></html>\n",
        ]
    )


def _figures(summaries: Sequence[ContextSummary], n: int) -> str:
    head = "".join(f"<th>{word}</th>" for word in ("context", *CLASSES, "mean logprob", "mean KL, nats"))
    rows = []
    for one in summaries:
        means = (one.whole.mean_logprob, one.whole.mean_kl)
        cells = [escape(one.name), *(f"{one.whole.ratio(shift):.1%}" for shift in CLASSES)]
        cells += ["" if mean is None else f"{mean:.3f}" for mean in means]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    said = "1 question" if n == 1 else f"{n:,} questions"
    return f'<p class="muted">{said}</p><table><tr>{head}</tr>{"".join(rows)}</table>'


def _curve(summaries: Sequence[ContextSummary]) -> str:
    width, height = _WIDTH - _LEFT - 10, _HEIGHT - _BOTTOM - _TOP
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + height * (1 - share)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for n, one in enumerate(summaries):
        steps = max(1, len(one.curve) - 1)
        points = " ".join(
            f"{_LEFT + width * i / steps:.1f},{_TOP + height * (1 - share):.1f}"
            for i, share in enumerate(one.curve)
            if share is not None
        )
        lines.append(f'<polyline class="s{n}" points="{points}"/>')
    keys = " · ".join(f'<span class="k{n}">{escape(one.name)}</span>' for n, one in enumerate(summaries))
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'aria-label="Shifted tokens along the answer">{"".join(lines)}'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">start</text>'
        f'<text x="{_WIDTH - 10}" y="{_HEIGHT - 6}" text-anchor="end">end</text></svg>'
        f"<figcaption>Share of shifted tokens in each tenth of the answers. {keys}</figcaption></figure>"
    )


def _most(summaries: Sequence[ContextSummary]) -> str:
    parts = ["<h2>Most shifted tokens</h2>"]
    for one in summaries:
        words = ", ".join(f"<code>{escape(repr(text))}</code> {n}/{seen}" for text, n, seen in one.most[:15])
        parts.append(f"<h3>{escape(one.name)}</h3><p>{words or 'none'}</p>")
    return "".join(parts)


def _answer(report: ShiftReport) -> str:
    parts = [f"<h2>{escape(report.question)}</h2>"]
    for context in report.contexts:
        ratios = ", ".join(f"{shift} {context.ratio(shift):.1%}" for shift in CLASSES)
        parts.append(f'<h3>{escape(context.name)}</h3><p class="muted">{ratios}</p>')
        parts.append(f'<div class="answer">{_tokens(context)}</div>')
    return "".join(parts)


def _tokens(context: ContextShift) -> str:
    return "".join(
        f'<span class="{position.shift or ""}" title="{escape(_said(position))}">{_text(position)}</span>'
        for position in context.positions
    )


def _said(position: Position) -> str:
    token = position.token
    if token.logprob is None or token.rank is None:
        return "nothing stands before it"
    said = [f"rank {token.rank}", f"logprob {token.logprob:.3f}"]
    if position.kl is not None:
        said.append(f"KL {position.kl:.3f}")
    best = [f"{_decoded(other.bytes)!r} {other.logprob:.2f}" for other in token.alternatives]
    return " · ".join(said) + "".join("\n" + one for one in best)


def _text(position: Position) -> str:
    shown = _decoded(position.token.bytes)
    return escape(
        "".join(_SIGNS.get(c, c if c.isprintable() or c == " " else f"U+{ord(c):04X}") for c in shown)
    )


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "⟨" + " ".join(f"{byte:02X}" for byte in raw) + "⟩"
