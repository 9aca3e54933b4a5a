"""Losses of a short training of every family on fixed features, and the file that they are compared with.

    python -m tests.models.golden [FAMILY …]

writes the losses of these families, or of all, to `golden_losses.json`: for a new family, or after a change that is
meant to change them.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.models.test_registry import FAMILIES, config_of, mels_of
from wakeword.models.families import build_model

PATH = Path(__file__).with_name("golden_losses.json")
STEPS, BATCH, SCORES = 50, 4, 2


def losses(family: str) -> list[float]:
    """Losses of `STEPS` steps of AdamW on frames of noise, half of which hold a rising ridge at their end.

    In float64, in which rounding differs between processors too little to grow into other losses, and without dropout,
    whose draws may differ between processors.
    """
    torch.manual_seed(0)
    mels = mels_of(family)
    network = build_model(config_of(family, dropout=0.0), mels, 2).double().train()
    optimiser = torch.optim.AdamW([value for value in network.parameters() if value.requires_grad], lr=3e-3)
    chance = np.random.default_rng(0)
    frames = network.context_frames + (SCORES - 1) * network.frame_stride
    label = torch.zeros(BATCH, SCORES, 2, dtype=torch.float64)
    label[: BATCH // 2, :, 0] = 1.0
    found = []
    for _ in range(STEPS):
        features = chance.standard_normal((BATCH, frames, mels))
        features[: BATCH // 2, np.arange(-mels, 0), np.arange(mels)] += 3.0
        loss = nn.functional.binary_cross_entropy_with_logits(network(torch.from_numpy(features)), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    return found


def machine() -> str:
    """Processor and version of torch, on which the last digits depend."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, torch {torch.__version__}"


def stored() -> dict[str, Any]:
    """`{"machine": …, "losses": {family: […]}}`."""
    return json.loads(PATH.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def main(chosen: list[str]) -> None:
    """Write the losses of these families; those of the others stay, where the file is from this machine."""
    torch.set_num_threads(1)
    before = stored() if PATH.is_file() and chosen else {"machine": machine(), "losses": {}}
    if before["machine"] != machine():
        raise SystemExit(f"the file is from {before['machine']}: write all families anew, without a name")
    found = before["losses"] | {family: [round(loss, 9) for loss in losses(family)] for family in chosen or FAMILIES}
    lines = ",\n".join(f'  "{family}": {json.dumps(found[family])}' for family in sorted(found))
    PATH.write_text(f'{{"machine": {json.dumps(machine())}, "losses": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
