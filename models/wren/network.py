"""A Llama: RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied embeddings.

Written out in plain torch so that it compiles well at this size; `export.py` turns it into
transformers' and llama.cpp's layouts and a test holds the three to the same logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model."""

    vocabulary: int = 2560
    width: int = 160
    layers: int = 5
    heads: int = 5
    kv_heads: int = 5
    hidden: int = 448
    context: int = 1024
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.heads


class Norm(nn.Module):
    """RMSNorm with a learned gain."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """`x` scaled to unit mean square, then by the gain."""
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


class Block(nn.Module):
    """One layer; `cos` and `sin` are `[length, head_width]` in transformers' half-split order."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d, h = shape.width, shape.head_width
        self.shape = shape
        self.attention_norm = Norm(d, shape.epsilon)
        self.q = nn.Linear(d, shape.heads * h, bias=False)
        self.k = nn.Linear(d, shape.kv_heads * h, bias=False)
        self.v = nn.Linear(d, shape.kv_heads * h, bias=False)
        self.o = nn.Linear(shape.heads * h, d, bias=False)
        self.mlp_norm = Norm(d, shape.epsilon)
        self.gate = nn.Linear(d, shape.hidden, bias=False)
        self.up = nn.Linear(d, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, d, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """`x` `[rows, length, width]` after attention and the feed-forward part."""
        rows, length, _ = x.shape
        y = self.attention_norm(x)
        q, k, v = (
            layer(y).view(rows, length, -1, self.shape.head_width).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        grouped = self.shape.heads != self.shape.kv_heads
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        x = x + self.o(y.transpose(1, 2).reshape(rows, length, -1))
        y = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


class Llama(nn.Module):
    """Ids `[rows, length]` to logits `[rows, length, vocabulary]`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, shape.epsilon)
        channels = torch.arange(0, shape.head_width, 2, dtype=torch.float32)
        angles = torch.outer(
            torch.arange(shape.context, dtype=torch.float32),
            shape.rope_base ** (-channels / shape.head_width),
        )
        self.register_buffer("cos", angles.cos().repeat(1, 2), persistent=False)
        self.register_buffer("sin", angles.sin().repeat(1, 2), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        for name, weight in self.named_parameters():
            if weight.dim() < 2:
                continue
            std = 0.02 if "embedding" in name else weight.shape[1] ** -0.5
            if name.endswith(("o.weight", "down.weight")):
                std *= (2 * self.shape.layers) ** -0.5
            nn.init.normal_(weight, std=std)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the token after each of `ids`."""
        length = ids.shape[1]
        cos, sin = self.get_buffer("cos")[:length], self.get_buffer("sin")[:length]
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.linear(self.norm(x), self.embedding.weight)


def loss(model: nn.Module, ids: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy in nats a token; `ids` and `weights` are `[rows, length + 1]`."""
    logits = model(ids[:, :-1])
    target = ids[:, 1:]
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    if weights is None:
        return each.mean()
    keep = weights[:, 1:].flatten()
    return (each * keep).sum() / keep.sum().clamp(min=1.0)
