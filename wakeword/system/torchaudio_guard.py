"""Import torchaudio beside a torch of another build: without its compiled extension instead of an error.

The published wheels of torchaudio (checked: 2.8, 2.10 and 2.11) are linked to CUDA. Beside a CPU build of torch,
`import torchaudio` raises OSError, and so does every import of transformers' audio code where torchaudio is installed.
torchaudio supports installations without the extension; the guard selects that mode when the extension does not load.
Then transforms, functionals and models work. Forced alignment, the RNN-T loss and the CTC prefix decoder are in the
extension and raise RuntimeError when they are called.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

EXTENSION = "torchaudio._extension"


class _TolerantLoader(importlib.abc.Loader):
    """Runs the real loader; an extension that does not load counts as absent."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            self.loader.exec_module(module)
        except OSError as error:
            from torchaudio._internal.module_utils import fail_with_message

            message = f"this needs torchaudio's compiled extension, which does not load beside this torch ({error})"
            attributes = {
                "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
                "_IS_ALIGN_AVAILABLE": False,
                "fail_if_no_align": fail_with_message(message),
            }
            for name, value in attributes.items():
                setattr(module, name, value)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != EXTENSION:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _TolerantLoader(spec.loader)
        return spec


def guard_torchaudio() -> None:
    """Make later imports of torchaudio in this process succeed; it imports nothing and may be called again.

    Call it before an import of torchaudio or transformers, in each process (also in Ray workers).
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
