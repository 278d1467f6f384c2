"""``make gpu-check``: the contract suite on a device, then the measurement against ``generate``.

Runs with whatever Python, torch and transformers a GPU machine has: no virtual environment, no network, and
nothing else of what the program is made of. Says in one sentence what is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
# What the engine and its contract suite import; hypothesis has a stand-in.
NEEDED = ("numpy", "torch", "transformers", "tokenizers", "safetensors", "pytest")


def main() -> int:
    """Check, run, measure; 2 where it cannot be run, 1 where something failed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--device", default="cuda", help="cuda, cuda:1, cpu ...")
    options.add_argument("--small", action="store_true", help="a small shape: shows that it runs, no more")
    chosen = options.parse_args()
    lacking = refusal(chosen.device)
    if lacking is not None:
        print(f"gpu-check: {lacking}", file=sys.stderr)
        return 2
    print(versions(chosen.device), flush=True)
    failed = contract(chosen.device)
    sys.path.insert(0, str(HERE))
    import measure

    missed = measure.report(device=chosen.device, small=chosen.small)
    return int(bool(failed or missed))


def refusal(device: str) -> str | None:
    """Why it cannot be run here, as one sentence, or None."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return (
            f"{sys.executable} has no {', '.join(missing)}; name a Python that has them with: "
            "make gpu-check GPU_PYTHON=..."
        )
    try:
        import torch
        import transformers
    except ImportError as error:
        return f"{sys.executable} cannot import torch and transformers: {str(error).splitlines()[0]}"
    if int(transformers.__version__.split(".")[0]) < 5:
        return f"transformers {transformers.__version__} is too old; 5 is needed."
    if device.startswith("cuda") and not torch.cuda.is_available():
        return (
            f"torch {torch.__version__} finds no CUDA device here; "
            "to see that the check itself runs: make gpu-check GPU_ARGS='--device cpu --small'"
        )
    return None


def versions(device: str) -> str:
    """What it runs on, for the record."""
    import torch
    import transformers

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    python = sys.version.split()[0]
    return f"{name}, Python {python}, torch {torch.__version__}, transformers {transformers.__version__}"


def contract(device: str) -> int:
    """Run the contract suite; pytest's exit status."""
    import pytest

    if importlib.util.find_spec("hypothesis") is None:
        sys.path.insert(0, str(HERE / "stand_ins"))
    os.environ["GPU_CHECK_DEVICE"] = device
    # The project's own settings make errors of warnings, which are this machine's affair.
    bare = ["--noconftest", "-c", os.devnull, "--rootdir", str(HERE), "-p", "no:cacheprovider"]
    return int(pytest.main(["-q", *bare, str(HERE / "contract_on_device.py")]))


if __name__ == "__main__":
    sys.exit(main())
