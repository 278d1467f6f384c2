"""Two hundred broken GGUFs: each is refused in a sentence, by the throw-away process or by the worker.

Run by ``make fuzz``; a sample of them is among the tests. One whose flipped bytes mean nothing to the model
may load, and must then answer.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from asking import fold, request
from broken_ggufs import broken

from playground.engines.inspection import inspect_gguf
from playground.engines.load import EngineSpec, open_engine
from playground.errors import EngineError, ModelLoadError

COUNT = int(os.environ.get("BROKEN_GGUFS", "200"))


def outcome(path: Path) -> str:
    """What became of a file; an error that is not told in a sentence has a name of its own."""
    try:
        inspect_gguf(path)
    except ModelLoadError as error:
        return "refused by its reader" if _is_sentence(str(error)) else f"said: {error}"
    try:
        engine = open_engine(EngineSpec(path=str(path), n_threads=1, n_ctx=64, kv_cells=256))
    except EngineError as error:
        told = "the worker died" if "process ended" in str(error) else "refused by the worker"
        return told if _is_sentence(str(error)) else f"said: {error}"
    end = fold(engine.generate([request(engine, "the", max_tokens=2)]))[0, 0].end
    engine.close()
    assert end.finish_reason in ("length", "stop", "error")
    return "loaded"


def _is_sentence(text: str) -> bool:
    return "\n" not in text and text.endswith(".") and "Traceback" not in text and 20 < len(text) < 600


def test_broken_files_are_refused_and_nothing_else_ends(repository: Path, tmp_path: Path) -> None:
    source = repository / "models" / "wren" / "wren-base-f16.gguf"
    found: Counter[tuple[str, str]] = Counter()
    path = tmp_path / "broken.gguf"
    for kind, data in broken(source, COUNT):
        path.write_bytes(data)
        found[kind, outcome(path)] += 1
    for (kind, what), count in sorted(found.items()):
        print(f"{kind}: {what} {count}")
    for kind in ("truncated", "huge count", "wrong magic", "doubled token"):
        assert not found[kind, "loaded"], kind
    assert sum(found.values()) == COUNT
    assert not [what for _, what in found if what.startswith("said")]
