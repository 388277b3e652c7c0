"""The generated client is what the spec says, and following a change of the spec needs no hand."""

import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import regenerate
from check_new_fields import change_spec
from read_spec import read
from support.copies import copy_of_the_repository, edit, run

PACKAGE, SPEC, TEMPLATES = regenerate.PACKAGE, regenerate.SPEC, Path("spec/templates")
REGENERATE = "scripts/regenerate"
EVERY_TYPE = "tests/support/every_type"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a copy with a field of every type, another template and other settings; and what the script said."""
    root = copy_of_the_repository(tmp_path_factory.mktemp("copy"), "spec", "scripts", "generated", "wrapper", "tests")
    change_spec(root / SPEC)
    edit(root / SPEC, "        - id\n", "        - id\n        - createdAt\n")
    edit(root / TEMPLATES / "types.py.jinja", "UNSET: Unset =", "UNSET: 'Unset' =")
    edit(root / "spec/generator.yaml", "--line-length 120", "--line-length 99")
    (root / PACKAGE / "models/stale.py").write_text("STALE = True\n")
    done = run(root, REGENERATE)
    assert (done.returncode, done.stderr) == (0, "")
    return root, done.stdout


@pytest.mark.parametrize(
    "line",
    [
        f"added {PACKAGE}/models/every_type.py",
        f"added {PACKAGE}/models/every_type_tier.py",
        f"changed {PACKAGE}/types.py",
        f"changed {PACKAGE}/client.py",
        f"removed {PACKAGE}/models/stale.py",
        "added the field EveryType.isActive",
    ],
)
def test_what_has_changed_is_said(changed: tuple[Path, str], line: str) -> None:
    """The script lists files and fields, whether the spec, a template or the settings have changed."""
    assert line in changed[1].splitlines()


def test_check_agrees(changed: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes come out on every run, so --check has nothing to say."""
    monkeypatch.chdir(changed[0])
    assert regenerate.main(is_check=True) == 0


def test_a_field_of_every_type_needs_no_change_in_the_wrapper(changed: tuple[Path, str]) -> None:
    """Spec, regenerate, done: the rules of `support/every_type.py` hold for what `support/every_type.yaml` adds."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{EVERY_TYPE}.py"]
    done = run(changed[0], *command)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy, which is the working directory."""
    monkeypatch.chdir(copy_of_the_repository(tmp_path, "spec", "generated"))
    return tmp_path


def test_check_changes_nothing(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the files that are not what the spec says, and ends with 1."""
    edit(PACKAGE / "types.py", "UNSET: Unset =", "UNSET: 'Unset' =")
    before = regenerate.files(PACKAGE)
    assert regenerate.main(is_check=True) == 1
    assert capsys.readouterr().out == f"changed {PACKAGE}/types.py\n"
    assert regenerate.files(PACKAGE) == before


def test_a_wrong_spec_is_refused(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mistake is a sentence with its place, the exit code is 1, and what was generated stays."""
    before = regenerate.files(PACKAGE)
    edit(SPEC, "maxLength:", "maxLenght:")
    assert regenerate.main(is_check=False) == 1
    said, complaint = capsys.readouterr()
    assert said == ""
    assert re.fullmatch(f"{SPEC}: .*: maxLenght is not a keyword of this document, .*\n", complaint)
    assert regenerate.files(PACKAGE) == before


def test_what_the_generator_leaves_out_is_said(tmp_path: Path) -> None:
    """What the generator cannot make is refused too, without its advertisement."""
    text = SPEC.read_text(encoding="utf-8")
    spec, _ = read(
        text.replace("application/json;charset=utf-8:\n            schema:", "text/plain:\n            schema:")
    )
    [sentence] = regenerate.generate(spec, tmp_path / "package")
    assert "Unsupported content type text/plain" in sentence


@pytest.mark.parametrize("name", [path.name for path in sorted(TEMPLATES.iterdir())])
def test_a_template_is_the_generators_own_but_for_the_marked_lines(name: str) -> None:
    """An override has what stands between its comments, for one line at the end at the most, and nothing else."""
    ours = re.sub(r"\{# added.*?/added #\}\n", "", (TEMPLATES / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    theirs = files("openapi_python_client").joinpath(f"templates/{name}").read_text(encoding="utf-8")
    assert theirs.startswith(ours)
    assert theirs.removeprefix(ours).count("\n") <= 1
