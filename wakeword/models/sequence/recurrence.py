"""Recurrent layers over a sliding window of frames, so that a score depends on a limited number of frames.

A recurrence that carries its state for ever depends on all frames since the start of the stream. Training on windows,
which start it anew, would then differ from streaming. Here every score has its own recurrence, from zeros, over the
last steps. The product with the inputs is computed once per frame, and the flat state keeps it for the next scores; the
product with the hidden values is computed once per step and score.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from wakeword.models.blocks import Context, StreamCache


class RecurrentLayer(nn.Module):
    """One layer of gates: weights for the inputs `(batch, inputs, time)` and for the hidden values."""

    GATES: int

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.from_inputs = nn.Conv1d(inputs, self.GATES * hidden, 1)
        self.from_hidden = nn.Conv1d(hidden, self.GATES * hidden, 1)
        for part in (self.from_inputs, self.from_hidden):
            nn.init.uniform_(part.weight, -(hidden**-0.5), hidden**-0.5)
            nn.init.zeros_(part.bias)  # type: ignore[arg-type]

    @abstractmethod
    def forward(self, gates: list[Tensor]) -> list[Tensor]:
        """Hidden values `(batch, hidden, time)` after each step, of the gates' part from the inputs in each step."""


class GRULayer(RecurrentLayer):
    """Gated recurrent units (Cho et al. 2014, arXiv 1406.1078), in the order of gates of `torch.nn.GRU`."""

    GATES = 3

    def forward(self, gates: list[Tensor]) -> list[Tensor]:
        value = torch.zeros_like(gates[0][:, : self.hidden])
        values = []
        for step in gates:
            reset, update, new = step.split(self.hidden, dim=1)
            reset_hidden, update_hidden, new_hidden = self.from_hidden(value).split(self.hidden, dim=1)
            keep = torch.sigmoid(update + update_hidden)
            candidate = torch.tanh(new + torch.sigmoid(reset + reset_hidden) * new_hidden)
            value = candidate + keep * (value - candidate)
            values.append(value)
        return values


class LSTMLayer(RecurrentLayer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), in the order of gates of `torch.nn.LSTM`."""

    GATES = 4

    def forward(self, gates: list[Tensor]) -> list[Tensor]:
        value = memory = torch.zeros_like(gates[0][:, : self.hidden])
        values = []
        for step in gates:
            take, keep, new, show = (step + self.from_hidden(value)).split(self.hidden, dim=1)
            memory = torch.sigmoid(keep) * memory + torch.sigmoid(take) * torch.tanh(new)
            value = torch.sigmoid(show) * torch.tanh(memory)
            values.append(value)
        return values


class WindowedRecurrence(nn.Module):
    """Layers of a recurrence over the last `steps` frames that are `spacing` apart.

    `(batch, inputs, time)` to the last hidden values, `(batch, hidden, time - (steps - 1) * spacing)` offline.
    """

    def __init__(
        self,
        layer: type[RecurrentLayer],
        inputs: int,
        hidden: int,
        *,
        layers: int,
        steps: int,
        spacing: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.steps, self.spacing = steps, spacing
        self.lookback = (steps - 1) * spacing
        self.layers = nn.ModuleList(layer(hidden if place else inputs, hidden) for place in range(layers))
        self.context = Context((layer.GATES * hidden,), self.lookback)
        self.dropout = nn.Dropout(dropout)

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        first, *others = self.layers
        inputs = self.context(first.from_inputs(value), cache)  # type: ignore[operator]
        scores = inputs.shape[-1] - self.lookback
        starts = [step * self.spacing for step in range(self.steps)]
        values: list[Tensor] = first([inputs[..., start : start + scores] for start in starts])
        for layer in others:
            values = layer([layer.from_inputs(self.dropout(step)) for step in values])  # type: ignore[operator]
        return self.dropout(values[-1])  # type: ignore[no-any-return]
