"""What all configuration sections share: unknown keys are refused, values are validated and immutable."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from wakeword.system.files import user_path

UserPath = Annotated[str, AfterValidator(user_path)]
"""A path or URI; a leading `~` is replaced by the home folder of the user who loads the configuration."""


class Section(BaseModel):
    """One section of the configuration. Unknown keys are refused, and values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)

    @classmethod
    def kinds(cls) -> tuple[type[Section], ...]:
        """This class, and the classes that hold the section for some values of its first key, if there are any."""
        return (cls,)

    @classmethod
    def kind_of(cls, values: Any) -> type[Section]:
        """The class, one of `kinds`, for a plain tree of values before validation."""
        return cls
