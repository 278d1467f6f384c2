"""Long campaigns of the Makefile are not run with the suite, but what they name is there and can be begun."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_every_campaign_of_the_makefile_can_be_begun(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    named = sorted(set(re.findall(r"pytest\b.*?(tests/[\w/]+\.py)", makefile)))
    assert len(named) >= 7, named
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *named]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]
    for path in named:
        assert f"{path}::test" in done.stdout, path
