"""An installation that is well, for tests that make it ill."""

from pathlib import Path

import pytest
from doctor.installations import Place, make


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make(tmp_path)
