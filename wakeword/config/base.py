"""What all configuration sections share: closed, frozen, validated."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from wakeword.system.files import user_path

UserPath = Annotated[str, AfterValidator(user_path)]
"""A path or URI; `~` at its start is the home folder of whoever loads the configuration."""


class Section(BaseModel):
    """One section of the configuration: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)
