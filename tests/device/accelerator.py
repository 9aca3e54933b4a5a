"""A simulated accelerator: tensors on the device `sim`, for tests of what a GPU needs where there is none.

Its tensors keep their numbers in host memory, and every operation on them runs for real. As CUDA does, it refuses to
mix its tensors with those of the CPU (those without dimensions aside). It counts what makes the host wait for a device:
every value that is read back (`.item()`, `.cpu()`, `.tolist()`), every operation whose result has a shape that the host
must ask for (`nonzero`, boolean indexing), and blocking copies to the device, for which CUDA waits as well.

`install` registers the device for the whole process and cannot be undone, so these tests run in a process of their own
(`test_on_the_simulated_accelerator.py`). Not simulated: kernels, streams, memory, a generator of its own (dropout draws
from the CPU's), lower precision in autocast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "sim"
aten = torch.ops.aten
_SHAPE_FROM_DATA = {
    aten.nonzero, aten.masked_select, aten._unique, aten._unique2, aten.unique_dim, aten.unique_consecutive,
    aten.unique_dim_consecutive, aten.bincount, aten.equal, aten.is_nonzero, aten.allclose,
}  # fmt: skip
"""Operations that ask the device, whatever their arguments."""
_INDEXED = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index}
"""They ask where an index is boolean."""
_MOVES = {aten._to_copy, aten.copy_, aten._copy_from, aten._copy_from_and_resize}
_BELOW_THE_MODE = (
    ("empty", "memory_format"), ("empty_strided", "default"), ("_to_copy", "default"), ("copy_", "default"),
    ("fill_", "Scalar"), ("_local_scalar_dense", "default"), ("_copy_from", "default"),
)  # fmt: skip
_kept: list[Any] = []


@dataclass
class Traffic:
    """What went between host and device.

    Attributes:
        reads: names of the operations that made the host wait for a value or a shape.
        blocking: bytes of each copy to the device for which the host waited.
        uploads: bytes of each copy to the device for which it did not.
    """

    reads: list[str] = field(default_factory=list)
    blocking: list[int] = field(default_factory=list)
    uploads: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Start again."""
        for seen in (self.reads, self.blocking, self.uploads):
            seen.clear()


traffic = Traffic()


class MixedDevicesError(RuntimeError):
    """An operation on tensors of the device and of the CPU."""


class SimTensor(torch.Tensor):
    """A tensor on the simulated accelerator, around one in host memory (`held`)."""

    held: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> SimTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
            requires_grad=False,
        )
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:
        return f"SimTensor({self.held})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = self.detach().clone().requires_grad_(self.requires_grad)
        return torch.nn.Parameter(copied, self.requires_grad) if isinstance(self, torch.nn.Parameter) else copied

    def tolist(self) -> Any:
        traffic.reads.append("tolist")
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert a tensor on the device sim to numpy: use Tensor.cpu() first")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _is_sim(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on what its tensors hold; count and refuse what a GPU would wait for or refuse."""
    flat: list[torch.Tensor] = []
    _each(args, flat.append)
    _each(kwargs, flat.append)
    sims = [value for value in flat if isinstance(value, SimTensor)]
    target = kwargs.get("device")
    to_sim, to_host = _is_sim(target), target is not None and not _is_sim(target)
    packet = func.overloadpacket
    if not sims and not to_sim:
        return func(*args, **kwargs)
    if packet in _MOVES:
        _count_move(packet, args, kwargs, to_host)
    else:
        host = [value for value in flat if not isinstance(value, SimTensor) and value.dim() > 0]
        if sims and host:
            raise MixedDevicesError(f"{func}: tensors on {NAME} and on the CPU, {tuple(host[0].shape)}, are mixed")
        _count_question(packet, args)
    inner = dict(kwargs)
    if to_sim:
        inner["device"] = torch.device("cpu")
        inner.pop("pin_memory", None)
    out = func(*_each(args, _held), **_each(inner, _held))
    if packet in (aten.copy_, aten._copy_from) and not isinstance(args[0], SimTensor):
        return args[0]
    if to_host or not (sims or to_sim):
        return out
    written = _written(func)
    if written is not None:
        place, name = written
        return kwargs[name] if name in kwargs else args[place]
    return _each(out, _wrapped)


@cache
def _written(func: Any) -> tuple[int, str] | None:
    """Place and name of the argument that an operation changes and returns; None where it returns something new."""
    returned = [value.alias_info for value in func._schema.returns]
    if len(returned) != 1 or returned[0] is None or not returned[0].is_write:
        return None
    names = returned[0].before_set
    return next(
        (place, argument.name)
        for place, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.before_set == names
    )


def _each(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """Arguments or results with every tensor changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)([_each(part, change) for part in value])
    if isinstance(value, dict):
        return {name: _each(part, change) for name, part in value.items()}
    return value


def _held(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.held if isinstance(tensor, SimTensor) else tensor


def _wrapped(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if isinstance(tensor, SimTensor) else SimTensor(tensor)


def _count_move(packet: Any, args: Any, kwargs: dict[str, Any], to_host: bool) -> None:
    """A copy between host and device; `copy_(target, source)` or `_to_copy(source, device=…)`."""
    if packet is aten._to_copy:
        source, arrives = args[0], not to_host
        leaves = isinstance(source, SimTensor)
        if kwargs.get("device") is None:
            return
    else:
        target, source = args[:2]
        arrives, leaves = isinstance(target, SimTensor), isinstance(source, SimTensor)
    if leaves and not arrives:
        traffic.reads.append(str(packet))
    elif arrives and not leaves and source.dim() > 0:
        waits = not (kwargs.get("non_blocking") or (packet is aten.copy_ and len(args) > 2 and args[2]))
        (traffic.blocking if waits else traffic.uploads).append(source.numel() * source.element_size())


def _count_question(packet: Any, args: Any) -> None:
    if packet is aten._local_scalar_dense or packet in _SHAPE_FROM_DATA:
        traffic.reads.append(str(packet))
    elif packet is aten.repeat_interleave and len(args) == 1:
        traffic.reads.append("repeat_interleave without output_size")
    elif packet in _INDEXED and any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1]):
        traffic.reads.append("boolean index")


class OnSim(TorchDispatchMode):
    """Makes factories (`device="sim"`) and mixing visible for the time of a block."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Backend(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


def _below(func: Any, *args: Any, **kwargs: Any) -> Any:
    return _run(func, args, kwargs)


def install() -> torch.device:
    """Register the device `sim` in this process, for good; a second call does nothing."""
    if not _kept:
        _setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
        # What C++ asks for below the level of the mode, such as the value of `tensor[rows] = 1.0`.
        library = torch.library.Library("aten", "IMPL", "PrivateUse1")
        for name, overload in _BELOW_THE_MODE:
            func = getattr(getattr(aten, name), overload)
            library.impl(f"{name}.{overload}" if overload != "default" else name, partial(_below, func))
        _kept.append(library)
        # Tensors around others cannot be inference tensors, which have no version: without gradients must do.
        inference_mode, no_grad = torch.autograd.grad_mode.inference_mode, torch.autograd.grad_mode.no_grad
        for name in ("__enter__", "__exit__"):
            setattr(inference_mode, name, getattr(no_grad, name))
        # A module's parameters become other objects on another device, as they are of another class.
        torch.__future__.set_overwrite_module_params_on_conversion(True)
    return torch.device(NAME, 0)


@contextmanager
def on_sim() -> Iterator[Traffic]:
    """A block in which the device can be used; `traffic` counts from its start."""
    install()
    traffic.clear()
    with OnSim():
        yield traffic
