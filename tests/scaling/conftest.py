"""What the uninterrupted run gives."""

from __future__ import annotations

import pytest
from scaling.runs import run


@pytest.fixture(scope="session")
def expected():
    return run()
