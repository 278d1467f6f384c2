"""The page over fake engines, for tests of timing and failure: ``fake_page.py PORT HOME [--workers]``.

What an engine does is written under HOME: ``running`` holds the number of generations under way, and
``prompts`` the prompts that were sent, one JSON string a line; ``prompt_ids`` holds their token ids. A model
of the pair ``slow`` loads once there is a file ``go``, and one of ``huge`` fits into no machine.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from playground.engines.base import Cancel, Engine, EngineInfo, Event, GenerateRequest
from playground.engines.fake import FakeEngine, FakeReply, FakeScript
from playground.engines.load import open_engine
from playground.engines.spec import EngineSpec
from playground.models.catalog import ModelEntry
from playground.services import Workbench
from playground.settings import Settings
from playground.ui.app import launch

CHAT_TEMPLATE = (
    "{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}\n{% endfor %}<|turn|>assistant\n"
)
# A model that thinks, has no system role, and can be told not to think.
THINKING_TEMPLATE = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think></think>\n{% endif %}{% endif %}"
)
MARKUP = (
    "# Title\n\n**bold** and `code`\n\n<script>window.hacked = 1</script>\n"
    "<img src=x onerror='window.hacked = 1'>\n\n![picture](https://example.org/x.png)\n\n"
    "[bad](javascript:window.hacked=1) [good](https://example.org)\n\n```python\n    indented\n```\n"
)
SCRIPTS = {  # a worker plays the first whose word is in the prompt, so what goes on for long comes last
    "markup": FakeReply(re.findall(r"\s*\S+|\s+$", MARKUP)),
    "spaces": FakeReply(["two  spaces\n\n\n", "\ttab\n", "  end  "]),
    "[[5]]": FakeReply(["It is short, and true.\n", "[[7]]"]),  # how a judge is asked
    "ponder": FakeReply(["<th", "ink>\nLet me", " see.\n</think>\n\n", "It **is** ", "so."], delay_s=0.05),
    "brood": FakeReply(["<think>\nIt could", " be"]),
    "failing": FakeReply(
        ["This was ", "written."], fail_at=2, delay_s=0.05, error="The engine failed; ask again."
    ),
    "dying": FakeReply([f"{n} " for n in range(100)], delay_s=0.03, die_at=20),
    "flood": FakeReply([f"word{n} " for n in range(2_000)]),
    "count": FakeReply([f"{n} " for n in range(20_000)], delay_s=0.02),
}


def play(prompt: str, sample: int) -> FakeReply:
    """What the word that was said last asks for; else the first word of the first example."""
    word = max(SCRIPTS, key=prompt[-200:].rfind)
    if word in prompt[-200:]:
        return SCRIPTS[word]
    greeting = re.search(r'# Answer:\n"""\n(\S+)', prompt)
    return FakeReply([greeting[1] if greeting else "Bare", " it ", "is."], delay_s=0.02)


class WatchedEngine(FakeEngine):
    """Says in files how many generations run and which prompts came; takes chats."""

    def __init__(self, home: Path, name: str, template: str = CHAT_TEMPLATE) -> None:
        super().__init__(play, name=name)
        self._template = template
        self._home, self._lock, self._running = home, threading.Lock(), 0
        self._count(0)

    @property
    def info(self) -> EngineInfo:
        return dataclasses.replace(super().info, chat_template=self._template, parameters=1_000_000)

    def _count(self, by: int) -> None:
        with self._lock:
            self._running += by
            (self._home / f"running-{super().info.name}").write_text(str(self._running))

    def generate(
        self, requests: Sequence[GenerateRequest], *, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        with (
            self._lock,
            (self._home / "prompts").open("a") as file,
            (self._home / "prompt_ids").open("a") as ids,
        ):
            for request in requests:
                file.write(json.dumps("".join(piece.text for piece in request.prompt)) + "\n")
                ids.write(json.dumps(self.tokenize(request.prompt)) + "\n")
        self._count(1)
        try:
            yield from super().generate(requests, cancel=cancel)
        finally:
            self._count(-1)


def main(port: int, home: Path, *, workers: bool) -> None:
    """Serve until killed; the address is printed once it answers."""
    settings = dataclasses.replace(
        Settings.load({"PLAYGROUND_HOME": str(home)}).by_name_only(),
        shipped_models=home / "shipped_models",
        shipped_presets=home / "shipped_presets",
    )

    def needs(entry: ModelEntry) -> int:
        return 10**15 if entry.pair == "huge" else 0

    def opener(entry: ModelEntry) -> Engine:
        while entry.pair == "slow" and not (home / "go").exists():
            time.sleep(0.02)
        if workers:
            script = FakeScript(tuple(SCRIPTS.items()))
            return open_engine(EngineSpec(kind="fake", path=entry.kind, script=script))
        if entry.pair == "thinker":
            return WatchedEngine(home, entry.pair, THINKING_TEMPLATE)
        return WatchedEngine(home, entry.kind)

    with Workbench(settings, opener=opener, needs=needs) as workbench:
        launch(workbench, port=port, open_browser=False, on_ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), workers="--workers" in sys.argv)
