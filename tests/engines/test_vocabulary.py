"""What every engine's vocabulary shares, over a tokenizer of a dozen words."""

from __future__ import annotations

import pytest
from asking import text

from playground.engines.batching.vocabulary import FragmentVocabulary, SpecialToken

WORDS = [*(bytes([value]) for value in range(256)), b"</s>", b"</", b"ab", "界".encode()]
END, WORLD = WORDS.index(b"</s>"), WORDS.index("界".encode())


class Words(FragmentVocabulary):
    """Takes the longest word that fits, control tokens too, as a careless tokenizer does."""

    def __init__(self, *, cuts_characters: bool, rstrip: bool = False) -> None:
        specials = [SpecialToken(END, WORDS[END], rstrip=rstrip), SpecialToken(WORLD, WORDS[WORLD])]
        super().__init__(
            size=len(WORDS),
            bos=None,
            eos=END,
            add_bos=False,
            ends=[END, END],
            specials=specials,
            adds_space=False,
            cuts_characters=cuts_characters,
        )

    def piece(self, token: int) -> bytes:
        return WORDS[token]

    def _plain(self, text: bytes) -> list[int]:
        if not self._cuts_characters:
            text.decode()  # must be whole characters
        ids = []
        while text:
            ids.append(max((i for i, word in enumerate(WORDS) if text.startswith(word)), key=self._length))
            text = text[len(WORDS[ids[-1]]) :]
        return ids

    @staticmethod
    def _length(token: int) -> int:
        return len(WORDS[token])


@pytest.mark.parametrize("cuts_characters", [True, False])
def test_a_word_that_is_a_control_token_is_cut_in_two(cuts_characters: bool) -> None:
    vocab = Words(cuts_characters=cuts_characters)
    encoded = vocab.encode([text("ab</s>é")])
    assert END not in encoded.ids
    assert vocab.decode(encoded.ids) == "ab</s>é".encode()
    assert encoded.starts[:2] == [0, 2]
    assert vocab.encode([text("ab</s>", special=True)]).ids == [WORDS.index(b"ab"), END]


def test_one_character_is_cut_where_the_tokenizer_takes_half_of_it() -> None:
    assert WORLD not in Words(cuts_characters=True).encode([text("a界")]).ids
    # Nothing can be done where it does not; but it must come to an end.
    assert Words(cuts_characters=False).encode([text("a界")]).ids == [ord("a"), WORLD]


def test_blanks_that_a_control_token_takes_with_it() -> None:
    encoded = Words(cuts_characters=True, rstrip=True).encode([text("</s>  a", special=True)])
    assert (encoded.ids, encoded.starts) == ([END, ord("a")], [0, 6])


def test_what_ends_a_text_is_told_once() -> None:
    vocab = Words(cuts_characters=True)
    assert vocab.eog == (END,)
    assert vocab.is_end(END)
    assert not vocab.is_end(WORLD)
