"""The API reference is built without a warning, and has everything that is public."""

import re
import subprocess
import sys
from pathlib import Path

import cybersource_tms
import cybersource_tms_sandbox
from cybersource_tms import errors


def test_everything_public_is_in_the_reference(tmp_path: Path) -> None:
    """Each public name is a heading of its module's page, and no page shows where a model really lives."""
    command = [sys.executable, "-W", "error", "scripts/docs.py", str(tmp_path / "docs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    error_classes = [
        name for name, thing in vars(errors).items() if getattr(thing, "__module__", "") == errors.__name__
    ]
    pages = {
        "cybersource_tms": set(cybersource_tms.__all__) - {"errors"},  # which has a page of its own
        "cybersource_tms/errors": [name for name in error_classes if not name.startswith("_")],
        "cybersource_tms_sandbox": cybersource_tms_sandbox.__all__,
    }
    for page, names in pages.items():
        html = (tmp_path / "docs" / f"{page}.html").read_text(encoding="utf-8")
        assert [name for name in names if f'<section id="{name}">' not in html] == []
        assert re.findall(r"cybersource_tms_api\.\w+", html) == []
    assert {path.stem for path in (tmp_path / "docs").rglob("*.html")} == {
        "index",
        *(page.rpartition("/")[2] for page in pages),
    }
