"""The tiny prepared data set of the training tests."""

from tests.training.conftest import _one_thread, prepared

__all__ = ["_one_thread", "prepared"]
