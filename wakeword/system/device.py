"""The device of this process, and copies from the host that do not wait for the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from wakeword.system.device_rule import chosen_device

if TYPE_CHECKING:
    import numpy as np
    import torch

T = TypeVar("T")
_ALIGNED = 16
"""Every tensor of a packed copy starts at a multiple of this many bytes, which suits every dtype."""


def resolve_device(wanted: str) -> torch.device:
    """The device of work in this process, for `compute.device`.

    Raises:
        DeviceError: `cuda` is wanted and torch finds no CUDA device.
    """
    import torch

    lack = (
        "torch finds no CUDA device here: set compute.device=auto or cpu, or install a driver and a CUDA build of torch"
    )
    return torch.device(chosen_device(wanted, torch.cuda.is_available, lack))


def uploaded(values: np.ndarray | torch.Tensor, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Host values as a tensor on a device; the host does not wait for the copy."""
    import torch

    tensor = torch.as_tensor(values, dtype=dtype)
    if device.type == "cpu":
        return tensor
    # From pageable memory the driver would wait for all work before the copy.
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


def moved(tree: T, device: torch.device) -> T:
    """A dataclass, dict, list or tuple of host tensors, nested at will, on a device; all tensors in one copy.

    Everything that is no tensor stays as it is. On a CPU the tree itself is returned.
    """
    if device.type == "cpu":
        return tree
    import torch

    tensors: list[torch.Tensor] = []
    _each_tensor(tree, tensors.append)
    places, size = [], 0
    for tensor in tensors:
        places.append(size)
        size += -(-tensor.numel() * tensor.element_size() // _ALIGNED) * _ALIGNED
    packed = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    for tensor, place in zip(tensors, places, strict=True):
        flat = tensor.contiguous().flatten().view(torch.uint8)
        packed[place : place + len(flat)] = flat
    there = packed.to(device, non_blocking=True)
    parts = (
        there[place : place + tensor.numel() * tensor.element_size()].view(tensor.dtype).view(tensor.shape)
        for tensor, place in zip(tensors, places, strict=True)
    )
    return _with_tensors(tree, lambda _: next(parts))  # type: ignore[no-any-return]


def _each_tensor(tree: Any, call: Callable[[torch.Tensor], Any]) -> None:
    def visited(tensor: torch.Tensor) -> torch.Tensor:
        call(tensor)
        return tensor

    _with_tensors(tree, visited)


def _with_tensors(tree: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The tree with every tensor changed, always in the same order."""
    import torch

    if isinstance(tree, torch.Tensor):
        return change(tree)
    if is_dataclass(tree) and not isinstance(tree, type):
        return replace(tree, **{f.name: _with_tensors(getattr(tree, f.name), change) for f in fields(tree)})
    if isinstance(tree, dict):
        return {name: _with_tensors(value, change) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_with_tensors(value, change) for value in tree)
    return tree
