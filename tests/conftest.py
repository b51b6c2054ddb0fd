"""Fixtures that several test modules need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets; WEAKLABEL_DATA names the folder, or it lies beside the checkout."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WEAKLABEL_DATA", default))
    if not folder.is_dir():
        message = f"public data not found at {folder}: set WEAKLABEL_DATA to the folder"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder
