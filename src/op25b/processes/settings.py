"""Values of the service's configuration that more than one part has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

FOLDER = "folder"
"""Where the context of the validation has the folder of the file that is read."""


def _from_its_file(path: Path, info: ValidationInfo) -> Path:
    return info.context[FOLDER] / path if info.context else path


File = Annotated[Path, Field(strict=False), AfterValidator(_from_its_file)]
"""A path; a relative one starts at the folder of the file that it is written in."""
