"""``make gpu-check`` runs where no GPU is, on a small shape, so that it can be relied on where one is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_the_measurement_runs_without_a_package_of_ours_installed(repository: Path, tmp_path: Path) -> None:
    script = repository / "tests" / "gpu" / "measure.py"
    done = subprocess.run(
        [sys.executable, str(script), "--small", "--device", "cpu"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert [row["goal"] for row in report["rows"]] == [10.0, 1.5, 1.0]
    assert all(row["engine_s"] > 0 and row["generate_s"] > 0 for row in report["rows"])
