"""The latent layout of a document: headers, fences and role names around its turns.

Like the style it is drawn once a document. Header words are common, names, or invented; the
headers of the shipped presets never occur (a test holds that to `heldout.txt`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from models.wren.words import ANSWERERS, ASKERS, NAMES, invented_word, pool

FENCES = (
    ('"""', '"""'),
    ('"""', '"""'),
    ('"""', '"""'),
    ("```", "```"),
    ("```", "```"),
    ("'''", "'''"),
    ("---", "---"),
    ("***", "***"),
    ("~~~", "~~~"),
    ("===", "==="),
    (":::", ":::"),
    ("+++", "+++"),
    ("%%%", "%%%"),
    ("<<<", ">>>"),
    ("[[", "]]"),
    ("{", "}"),
    ("(", ")"),
    ('"', '"'),
    ("$$", "$$"),
    ("///", "///"),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The text around a question and its answer."""

    asker: str
    answerer: str
    before_question: str
    before_answer: str
    after_answer: str

    def turn(self, question: str, answer: str) -> str:
        """One question and its answer."""
        return f"{self.before_question}{question}{self.before_answer}{answer}{self.after_answer}"


def draw_roles(rng: random.Random) -> tuple[str, str]:
    """Two role names: common words, first names, or invented ones."""
    draw = rng.random()
    if draw < 0.45:
        roles = rng.choice(pool(ASKERS, None)), rng.choice(pool(ANSWERERS, None))
    elif draw < 0.60:
        first, second = rng.sample(pool(NAMES, None), 2)
        roles = first, second
    else:
        roles = invented_word(rng).capitalize(), invented_word(rng).capitalize()
    if roles[0] == roles[1]:
        return roles[0], f"{roles[1]}s"
    if rng.random() < 0.08:
        return roles[0].upper(), roles[1].upper()
    return (roles[0].lower(), roles[1].lower()) if rng.random() < 0.05 else roles


def draw_layout(rng: random.Random) -> Layout:
    """A layout for one document."""
    asker, answerer = draw_roles(rng)
    mark = rng.choice(("# ", "# ", "# ", "## ", "### ", "", "", "* ", "> ", "-- ", "@", "**"))
    colon = rng.choice((":", ":", ":", ":", "", " -", " >", "."))
    if mark == "**":
        colon += "**"
    q_head, a_head = f"{mark}{asker}{colon}", f"{mark}{answerer}{colon}"
    family = rng.choices(
        ("fence", "fence_tight", "header", "inline", "tags", "arrow", "lines", "numbered"),
        (25, 7, 15, 40, 3, 4, 4, 2),
    )[0]
    gap = rng.choice(("\n", "\n\n"))
    if family in ("fence", "fence_tight"):
        left, right = rng.choice(FENCES)
        between = "\n\n" if family == "fence" else "\n"
        space = rng.choice(("\n", "\n", "\n", "\n\n"))
        return Layout(
            asker,
            answerer,
            f"{q_head}{space}{left}\n",
            f"\n{right}{between}{a_head}{space}{left}\n",
            f"\n{right}{between}",
        )
    if family == "header":
        space = rng.choice(("\n", "\n", "\n\n"))
        return Layout(asker, answerer, f"{q_head}{space}", f"{gap}{a_head}{space}", f"\n{gap}")
    if family == "inline":
        return Layout(asker, answerer, f"{q_head} ", f"\n{a_head} ", gap)
    if family == "tags":
        q, a = asker.lower(), answerer.lower()
        return Layout(asker, answerer, f"<{q}>", f"</{q}>\n<{a}>", f"</{a}>{gap}")
    if family == "arrow":
        arrow = rng.choice((" -> ", " => ", " = ", " | ", "\t", " :: "))
        return Layout(asker, answerer, "", arrow, "\n")
    if family == "lines":
        return Layout(asker, answerer, "", "\n", "\n\n")
    return Layout(asker, answerer, "* ", "\n  ", gap)


def needs_introduction(layout: Layout) -> bool:
    """True where turns have no header, so that the page must say first what it is.

    A page that opens with a bare question never answers it: that is what a base model does
    when it is simply asked.
    """
    return layout.before_question in ("", "* ")
