"""The site is built without a warning, and has the guides and everything that is public."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cybersource_tms
import cybersource_tms_sandbox
from cybersource_tms import errors

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as scripts/docs does."""
    folder = tmp_path_factory.mktemp("site")
    options = re.findall(r"(--[\w-]+)", (ROOT / "scripts" / "docs").read_text(encoding="utf-8").splitlines()[-1])
    command = [sys.executable, "-m", "sphinx", *options, "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def page(site: Path, name: str) -> str:
    """Return the text of a page."""
    return (site / f"{name}.html").read_text(encoding="utf-8")


def test_everything_public_is_in_the_reference(site: Path) -> None:
    """Each public name has a place on its module's page."""
    named = {name for name, thing in vars(errors).items() if getattr(thing, "__module__", "") == errors.__name__}
    public = {
        "clients": ("cybersource_tms", set(cybersource_tms.__all__) - {"errors", "__version__"}),
        "errors": ("cybersource_tms.errors", {name for name in named if not name.startswith("_")}),
        "sandbox": ("cybersource_tms_sandbox", set(cybersource_tms_sandbox.__all__)),
    }
    for name, (module, names) in public.items():
        html = page(site, f"reference/{name}")
        assert [each for each in sorted(names) if f'id="{module}.{each}"' not in html] == []


def test_nobody_sees_where_things_really_are(site: Path) -> None:
    """No page of the reference names a private module."""
    for path in (site / "reference").glob("*.html"):
        text = re.sub(r"<[^>]*>", "", path.read_text(encoding="utf-8"))
        assert re.findall(r"cybersource_tms(?:_api|_sandbox\._|\._)\w*", text) == []


def test_the_guides_are_there(site: Path) -> None:
    """Each guide is a page, and the front page leads to each."""
    front = page(site, "index")
    guides = [path.stem for path in (ROOT / "docs").glob("*.md") if path.stem != "index"]
    assert [guide for guide in guides if f'href="{guide}.html"' not in front] == []


def test_nothing_comes_from_the_network(site: Path) -> None:
    """No page loads a script, a style or a picture from elsewhere."""
    pattern = r"(?:<script[^>]+src|<link[^>]+stylesheet[^>]+href|<img[^>]+src)=\"([^\"]+)\""
    for path in site.rglob("*.html"):
        loaded = re.findall(pattern, path.read_text(encoding="utf-8"))
        assert [each for each in loaded if each.startswith(("http", "//"))] == []
