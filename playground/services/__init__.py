"""The one place that wires things together: everybody above holds a ``Workbench`` and nothing heavier."""

from playground.services.counts import TokenCounts, count_by_part
from playground.services.pool import ModelPool, ModelState, ModelStatus
from playground.services.workbench import (
    DRAFT,
    NO_PRESET,
    PromptView,
    SideSpec,
    Workbench,
)

__all__ = [
    "DRAFT",
    "NO_PRESET",
    "ModelPool",
    "ModelState",
    "ModelStatus",
    "PromptView",
    "SideSpec",
    "TokenCounts",
    "Workbench",
    "count_by_part",
]
