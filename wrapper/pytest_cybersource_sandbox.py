"""A pytest plugin: the fixture `cybersource_sandbox`.

It is a module of its own, and imports the sandbox only when a test asks for it, so that pytest starts as fast as
without it and measures the coverage of everything else.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cybersource_tms_sandbox import Sandbox


@pytest.fixture
def cybersource_sandbox() -> "Sandbox":
    """A new sandbox of CyberSource's Token Management Service: give a client `transport=` its `transport`."""
    from cybersource_tms_sandbox import Sandbox  # noqa: PLC0415 - only when a test asks for it

    return Sandbox()
