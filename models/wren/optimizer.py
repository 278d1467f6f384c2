"""Muon for the matrices inside the layers, AdamW for embeddings and gains.

Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers") replaces the momentum of a
matrix by the nearest orthogonal one, found with a quintic Newton-Schulz iteration. The update
is scaled by 0.2 sqrt(max(rows, columns)) so that both optimizers share one learning rate
(Liu et al. 2025, arXiv 2502.16982, section 2.2).
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


def orthogonalise(stack: Tensor) -> Tensor:
    """The nearest orthogonal matrix of each in `stack` `[n, rows, columns]`, roughly."""
    a, b, c = COEFFICIENTS
    tall = stack.shape[1] > stack.shape[2]
    x = stack.transpose(1, 2) if tall else stack
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x


class Optimizer:
    """Both optimizers behind one `step(rate)`."""

    def __init__(self, model: nn.Module, *, momentum: float = 0.95, decay: float = 0.01) -> None:
        inner = [p for n, p in model.named_parameters() if p.dim() == 2 and "embedding" not in n]
        chosen = {id(p) for p in inner}
        rest = [p for p in model.parameters() if id(p) not in chosen]
        self.groups: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
        for parameter in inner:
            self.groups[tuple(parameter.shape)].append(parameter)
        self.momentum = momentum
        self.decay = decay
        self.velocity = {
            shape: torch.zeros(len(group), *shape, device=group[0].device)
            for shape, group in self.groups.items()
        }
        self.adam = torch.optim.AdamW(rest, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.0)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update every parameter with the learning rate `rate`, and clear the gradients."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        for shape, parameters in self.groups.items():
            gradient = torch.stack([p.grad for p in parameters if p.grad is not None])
            velocity = self.velocity[shape]
            velocity.mul_(self.momentum).add_(gradient)
            update = orthogonalise(gradient + self.momentum * velocity)
            scale = 0.2 * max(shape) ** 0.5
            for parameter, delta in zip(parameters, update, strict=True):
                parameter.mul_(1 - rate * self.decay).add_(delta, alpha=-rate * scale)
                parameter.grad = None

    def state(self) -> dict[str, object]:
        """What has to be kept to go on after an interruption."""
        return {"velocity": self.velocity, "adam": self.adam.state_dict()}

    def restore(self, state: dict[str, object]) -> None:
        """Go on from `state`."""
        velocity = state["velocity"]
        assert isinstance(velocity, dict)
        self.velocity = velocity
        adam = state["adam"]
        assert isinstance(adam, dict)
        self.adam.load_state_dict(adam)
