"""Words that no table holds: invented words, greetings, closings, roles, and slips of the pen.

Invented words are drawn anew for every document, from the first step of training on: a style
that can only be read off the page teaches the model to read it off the page.
"""

from __future__ import annotations

import random
import re
from functools import cache
from importlib import resources

ONSETS = (
    *(
        [
            "b",
            "c",
            "d",
            "f",
            "g",
            "h",
            "j",
            "k",
            "l",
            "m",
            "n",
            "p",
            "r",
            "s",
            "t",
            "v",
            "w",
            "z",
            "br",
            "dr",
            "fl",
            "gr",
            "kl",
            "pr",
            "st",
            "tr",
            "sh",
            "ch",
            "th",
            "qu",
            "sk",
            "sl",
        ]
    ),
    *("", ""),
)
VOWELS = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ou", "ee", "oo", "y"]
CODAS = ("", "", "", "", "n", "r", "l", "m", "s", "k", "t", "nd", "x", "sh")

GREETINGS = (
    "Hi; Hey; Greetings; Good day; Welcome; Good morning; Welcome back; Dear reader; Hi again;"
    "Ah; Oh; Well; Right; Sure; Of course; Gladly; With pleasure; Yes; Okay; Alright; Let me see;"
    "Nice question; Good question; Great question; Lovely question; Interesting; Splendid;"
    "Wonderful; No problem; Easy one; I know this one; Here we go; Here it is; Listen;"
    "Good to see you; How kind of you to ask; I was hoping you would ask; Let me help;"
    "Thank you for asking; Thanks for the question; One moment; Let me look; Cheers; Salute;"
    "I am glad that you ask; Let us see; As you wish; Coming right up; At your service; Hm"
).replace(";", "; ")
ADDRESSEES = (
    "friend; my friend; dear; reader; traveler; neighbor; champ; pal; everyone; my dear; stranger;"
    "young one; captain; kind soul; curious one; boss; buddy; folks; colleague; little one"
)
CLOSINGS = (
    "Hope it helps; Glad to help; Take care; Have a good day; Have fun; Bye for now; Cheers;"
    "Ask again any time; More questions are welcome; Come back soon; That is it; That is all;"
    "All the best; Good luck; Stay curious; See you; Enjoy; Yours truly; Done; Over and out;"
    "Any other questions; What else can I do for you; Shall I go on; Is that clear;"
    "Do you want to know more; Let me know if you need more; Happy to explain more;"
    "I wish you a fine day; Write to me any time; It was a pleasure; Keep asking;"
    "Feel free to ask more; Now you know; Nothing more to add; So much for that; Until next time"
)
COMMON = (
    "the a my your this that every some here there now then today again soon always never certainly surely "
    "hello hi dear friend reader guest sir madam captain matey heart list page answer word note story book "
    "letter garden river bird house day night morning light hope help look find know tell give take make go "
    "come see hear read write ask say think feel keep bring show follow is are was will may can be it I you "
    "we they he she all one two few more most out up down over in on at of for with from to as and or but if "
    "so happy kind clear quick bright little big good fine new old true short long warm sweet brave simple "
    "question truth point way time thing world people end start part rest sea ship wind song road home "
    "please thanks indeed exactly gladly hearty merry yes well oh behold arr hey ready done enough again"
)
ZH_OPENINGS = (
    "你好！ 好的！ 好的， 嗨！ 很高兴回答。 好问题！ 当然！ 没问题！ 欢迎！ 我来回答。 我知道！ "
    "亲爱的朋友， 早上好！ 让我想想。 这个简单。 谢谢提问。 是的， 来了！ 请听我说。"
)
ZH_CLOSINGS = (
    "希望有用！ 祝你愉快！ 还有问题吗？ 再见！ 欢迎再问。 不客气。 就是这样。 祝你好运！ "
    "下次见！ 好好学习。 说完了。 请继续提问。 保重！"
)
ZH_SYLLABLES = "天地人山水火木金土日月星风云花草鸟鱼龙马小大好美福乐平安春秋冬夏东西南北中上下您希望对有帮助"

ASKERS = (
    "Question Q Visitor Pupil Reader Guest Child Student Customer Caller Traveler Person Human Me "
    "Problem Task Ask Topic Input Prompt Request Letter Listener You Interviewer Tourist Mail Host "
    "Message Speaker Nephew"
)
ANSWERERS = (
    "Answer A Guide Teacher Expert Helper Clerk Owl Librarian Doctor Host Bot Machine Voice Editor "
    "Solution Result Reply Return Explanation Output Completion Reaction Letter Radio Sage I Desk "
    "Oracle Uncle"
)
NAMES = (
    "Anna Ben Clara David Elena Felix Grace Hugo Ines Jonas Karla Leo Mara Nils Olga Paul Rita Sam "
    "Tina Vera Will Yara Zoe Amir Bo Chen Dana Emil Fatima Gus Hana Ivan Jin Kofi Lena Mei Noor Omar "
    "Pia Raj Sofia Tom Uma Viktor Wanda Xin Yuki"
)
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@cache
def pool(text: str, separator: str | None = ";") -> tuple[str, ...]:
    """The parts of a pool written as one string."""
    return tuple(part.strip() for part in text.split(separator) if part.strip())


@cache
def held_out() -> tuple[str, ...]:
    """Texts that no document may hold: the headers and styles of the evaluation's presets."""
    text = (resources.files("models.wren") / "heldout.txt").read_text("utf-8")
    lines = (line for line in text.splitlines() if line and not line.startswith("//"))
    return tuple(line.replace("\\n", "\n") for line in lines)


def invented_word(rng: random.Random, *, syllables: int | None = None) -> str:
    """A word of one to three random syllables, lower case."""
    count = syllables or rng.choices((1, 2, 3), (2, 5, 2))[0]
    return "".join(
        rng.choice(ONSETS) + rng.choice(VOWELS) + (rng.choice(CODAS) if rng.random() < 0.5 else "")
        for _ in range(count)
    )


def invented_phrase(rng: random.Random) -> str:
    """One to four invented words, the first capitalised, perhaps with a comma between."""
    words = [invented_word(rng) for _ in range(rng.choices((1, 2, 3, 4), (4, 5, 2, 1))[0])]
    joint = ", " if rng.random() < 0.2 else "-" if rng.random() < 0.1 else " "
    text = joint.join(words)
    return text if rng.random() < 0.1 else text[:1].upper() + text[1:]


@cache
def table_words() -> tuple[str, ...]:
    """Every English word of the tables: the widest choice of words for a phrase that nobody knows."""
    folder = resources.files("models.wren") / "data"
    words: set[str] = set()
    for path in folder.iterdir():
        words |= set(re.findall(r"[A-Za-z]{2,}", path.read_text("utf-8")))
    return tuple(sorted(words))


def novel_phrase(rng: random.Random) -> str:
    """One to six words in no sensible order: natural to read, impossible to know by heart.

    Half of them start like a common phrase and go on otherwise, so that what usually follows is no
    guide and only the page itself is.
    """
    words = [
        rng.choice(pool(COMMON, None)) if rng.random() < 0.45 else rng.choice(table_words())
        for _ in range(rng.choices(range(1, 7), (2, 4, 4, 3, 2, 1))[0])
    ]
    if rng.random() < 0.5:
        known = rng.choice(pool(GREETINGS) + pool(CLOSINGS)).split()
        words = known[: rng.randint(1, len(known))] + words[:4]
    if rng.random() < 0.1:
        words[rng.randrange(len(words))] = invented_word(rng)
    text = " ".join(words)
    if len(words) > 2 and rng.random() < 0.2:
        text = text.replace(" ", ", ", 1)
    return text[:1].upper() + text[1:]


def opening(rng: random.Random) -> str:
    """How replies of one document begin: common, mixed with invented words, or all invented."""
    draw = rng.random()
    end = rng.choice("!!!!..,:?") if rng.random() < 0.95 else rng.choice(("...", " -", " ~", "!!"))
    if draw < 0.25:
        return invented_phrase(rng) + end
    if draw < 0.82:
        return novel_phrase(rng) + end
    text = rng.choice(pool(GREETINGS))
    if rng.random() < 0.4:
        name = rng.choice(pool(ADDRESSEES)) if rng.random() < 0.6 else invented_word(rng)
        text = f"{text}, {name}"
    if rng.random() < 0.2:
        text = f"{text}{rng.choice('!.,')} {rng.choice(pool(GREETINGS))}"
    return text + end


def closing(rng: random.Random) -> str:
    """How replies of one document end."""
    end = rng.choice("!!...?") if rng.random() < 0.95 else rng.choice((" :)", "...", ""))
    draw = rng.random()
    if draw < 0.25:
        return invented_phrase(rng) + end
    if draw < 0.82:
        return novel_phrase(rng) + end
    text = rng.choice(pool(CLOSINGS))
    if rng.random() < 0.3:
        name = rng.choice(pool(ADDRESSEES)) if rng.random() < 0.6 else invented_word(rng)
        text = f"{text}, {name}"
    return text + end


def zh_phrase(rng: random.Random, texts: str) -> str:
    """An opening or closing in Chinese from `texts`, half of them invented."""
    if rng.random() < 0.5:
        return rng.choice(pool(texts, None))
    count = rng.randint(1, 5)
    return "".join(rng.choice(ZH_SYLLABLES) for _ in range(count)) + rng.choice("！！。，？")


def typo(rng: random.Random, text: str) -> str:
    """The text with one slip in a word of four letters or more: swap, drop, double or neighbour."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= 4 and word.isascii()]
    if not long:
        return text
    at = rng.choice(long)
    word = words[at]
    i = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        word = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    elif kind == 1:
        word = word[:i] + word[i + 1 :]
    elif kind == 2:
        word = word[:i] + word[i] + word[i:]
    else:
        row = next((row for row in KEYBOARD if word[i].lower() in row), "")
        if row:
            word = word[:i] + rng.choice(row) + word[i + 1 :]
    words[at] = word
    return " ".join(words)


def sloppy(rng: random.Random, question: str) -> str:
    """The question as a hurried person types it: lower case, no mark, perhaps a typo."""
    if rng.random() < 0.7:
        question = question.lower()
    if rng.random() < 0.7:
        question = question.rstrip("?.!？。！")
    if rng.random() < 0.6:
        question = typo(rng, question)
    return question


def hurried_or_not(rng: random.Random, question: str, chance: float) -> str:
    """The question, with the given chance as a hurried person types it."""
    return sloppy(rng, question) if rng.random() < chance else question
