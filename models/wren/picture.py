"""The loss curves of the stages as one picture."""

from __future__ import annotations

import json
from pathlib import Path


def draw_losses(folder: Path, path: Path) -> None:
    """Draw the logs `*.jsonl` of `folder` to the PNG `path`; needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    logs = [folder / f"{stage}.jsonl" for stage in ("pretraining", "tuning")]
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.5), width_ratios=(3, 1))
    for panel, log in zip(axes, logs, strict=True):
        if log.exists():
            lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
            panel.plot([line["tokens"] / 1e6 for line in lines], [line["loss"] for line in lines])
        panel.set_title(log.stem)
        panel.set_xlabel("million tokens")
        panel.set_ylabel("loss, nats a token")
        panel.set_yscale("log")
        for axis_ticks in (panel.yaxis.set_major_formatter, panel.yaxis.set_minor_formatter):
            axis_ticks(ticker.FormatStrFormatter("%.2g"))
        panel.grid(alpha=0.3, which="both")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
