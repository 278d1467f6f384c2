"""The pool's tensors behind transformers' cache interface: each layer writes a batch and reads a window."""

from __future__ import annotations

import threading
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from playground.engines.batching.decoding import DecodeAbortedError


class BatchPlace:
    """Where the batch in progress writes and reads; set before each forward pass, shared by all layers."""

    def __init__(self) -> None:
        self.written: torch.Tensor | None = None
        self.window: slice | torch.Tensor = slice(0, 0)
        self.aborted = threading.Event()


class CellLayer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values ``[n_kv_heads, n_cells, head_dim]``, made when the first come."""

    is_sliding = False

    def __init__(self, place: BatchPlace, n_cells: int) -> None:
        super().__init__()
        self._place = place
        self._n_cells = n_cells

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make the tensors. Zeros: an unused cell is multiplied by a weight of 0 and may hold no NaN."""
        self.keys = self._zeros(key_states)
        self.values = self._zeros(value_states)
        self.is_initialized = True

    def _zeros(self, states: torch.Tensor) -> torch.Tensor:
        _, heads, _, width = states.shape
        return torch.zeros((heads, self._n_cells, width), dtype=states.dtype, device=states.device)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the batch's states ``[1, n_kv_heads, n_tokens, head_dim]``; returns the window's.

        Raises:
            DecodeAbortedError: Somebody cancelled; this is where a forward pass can be left.
        """
        if self._place.aborted.is_set():
            raise DecodeAbortedError("The decode was cancelled.")
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys[:, self._place.written] = key_states[0]
        self.values[:, self._place.written] = value_states[0]
        window = self._place.window
        return self.keys[:, window][None], self.values[:, window][None]

    def get_seq_length(self) -> int:
        """Nothing that a model may count on: positions and masks are always given."""
        return 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """As ``get_seq_length``."""
        return query_length, 0

    def get_max_length(self) -> int:
        """No maximum that a model need know of."""
        return -1

    def get_max_cache_shape(self) -> int:
        """As ``get_max_length``, by its older name."""
        return -1


class CellCache(Cache):  # type: ignore[misc]
    """A cache of ``n_layers`` cell layers."""

    def __init__(self, n_layers: int, place: BatchPlace, n_cells: int) -> None:
        super().__init__(layers=[CellLayer(place, n_cells) for _ in range(n_layers)])
