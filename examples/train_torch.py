"""Train a small detector head for a few steps from a pinned version, on a CPU.

    python examples/train_torch.py STORE PIN [--images DIR] [--steps 20]

STORE is a store's folder, a Git URL, or with the pin an s3:// URL. Without --images each picture
is a grey square with the boxes drawn on it, so that there is something to learn.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

import labelstore

CELLS = 16
SIDE = 128
"""Pictures have SIDE pixels a side; the head says of each of CELLS x CELLS cells what is there."""


class Head(nn.Module):
    """Three convolutions that give every cell a score for each class, and for none."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, classes + 1, 3, stride=2, padding=1),
        )  # fmt: skip

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return scores, shape (batch, classes + 1, CELLS, CELLS)."""
        return self.layers(pictures)


def drawn(boxes: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return a picture (3, SIDE, SIDE) with boxes (n, 4) drawn in a shade for each label."""
    picture = torch.full((3, SIDE, SIDE), 0.5)
    for (x0, y0, x1, y1), label in zip(
        boxes.mul(SIDE).long().tolist(), labels.tolist(), strict=True
    ):
        shade = torch.tensor([label % 7, label % 5, label % 3]).div(6).view(3, 1, 1)
        picture[:, y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = shade
    return picture


def prepared(batch: Mapping[str, Any], classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures and the class of each cell, from a ragged batch."""
    pictures, cells = [], []
    for i, (begin, end) in enumerate(
        torch.stack([batch["offsets"][:-1], batch["offsets"][1:]], 1)
    ):
        size = batch["size"][i].flip(0).repeat(2)
        boxes, labels = batch["boxes"][begin:end] / size, batch["labels"][begin:end]
        if "images" in batch:
            image = batch["images"][i].permute(2, 0, 1)[None].float() / 255
            pictures.append(nn.functional.interpolate(image, (SIDE, SIDE))[0])
        else:
            pictures.append(drawn(boxes, labels))
        cell = torch.full((CELLS, CELLS), classes)
        centres = ((boxes[:, :2] + boxes[:, 2:]) / 2 * CELLS).long().clamp(0, CELLS - 1)
        cell[centres[:, 1], centres[:, 0]] = labels
        cells.append(cell)
    return torch.stack(pictures), torch.stack(cells)


def main() -> None:
    """Train, and print the loss as it falls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("pin")
    parser.add_argument("--images")
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    torch.manual_seed(0)
    samples = labelstore.load(given.store, pin=given.pin)
    classes = len(samples.classes)
    loader = samples.loader(8, shuffle=True, seed=0, workers=2, images=given.images)
    head = Head(classes)
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    weights = torch.ones(classes + 1)
    weights[classes] = 0.05  # most cells are empty
    step = 0
    while step < given.steps:
        for batch in loader:
            pictures, cells = prepared(batch, classes)
            loss = nn.functional.cross_entropy(head(pictures), cells, weights)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            if step in (1, given.steps):
                print(f"step {step}, epoch {loader.epoch}: loss {loss.item():.3f}")
            if step == given.steps:
                break
    print(f"to go on from here: {loader.state_dict()}")


if __name__ == "__main__":
    main()
