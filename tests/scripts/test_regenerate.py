"""The generated client is what the spec says, and following a change of the spec needs no hand."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

PACKAGE = Path("generated/cybersource_tms_api")
SPEC = Path("spec/customers.yaml")
TEMPLATE = Path("spec/templates/types.py.jinja")
MODEL = PACKAGE / "models/link.py"
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of what regenerating needs."""
    for part in ("spec", "scripts", "generated", "wrapper", "pyproject.toml"):
        if Path(part).is_dir():
            shutil.copytree(part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, tmp_path / part)
    return tmp_path


def regenerate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a copy, with the tools of this environment."""
    variables = os.environ | {"VENV": sys.prefix}
    command = [str(root / "scripts/regenerate"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)


def contents(root: Path) -> dict[Path, bytes]:
    """Return the generated files and what is in them."""
    return {path.relative_to(root): path.read_bytes() for path in (root / PACKAGE).rglob("*") if path.is_file()}


def edit(root: Path, path: Path, old: str, new: str) -> None:
    """Replace some text, which must be there, in a file."""
    text = (root / path).read_text(encoding="utf-8")
    assert old in text
    (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_regenerating_gives_what_is_committed(copy: Path) -> None:
    """The same bytes come out on every run, nothing stale stays, and --check finds nothing to say."""
    before = contents(copy)
    (copy / PACKAGE / "models/stale.py").write_text("STALE = True\n")
    assert regenerate(copy).returncode == 0
    assert contents(copy) == before
    assert (copy / PACKAGE / "py.typed").exists()
    check = regenerate(copy, "--check")
    assert (check.returncode, check.stdout) == (0, "")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda root: edit(root, MODEL, "A link", "A chain"), "models/link.py"),
        (lambda root: (root / MODEL).unlink(), "link.py"),
        (lambda root: (root / PACKAGE / "extra.py").write_text("EXTRA = 1\n"), "extra.py"),
        (lambda root: edit(root, SPEC, "A link within", "A path within"), "models/link.py"),
        (lambda root: edit(root, TEMPLATE, "UNSET: Unset =", "UNSET: 'Unset' ="), "types.py"),
        (lambda root: edit(root, Path("spec/generator.yaml"), "--line-length 120", "--line-length 99"), "client.py"),
    ],
    ids=["edited", "missing", "extra", "spec", "template", "config"],
)
def test_check_lists_what_differs_and_changes_nothing(copy: Path, change: Callable[[Path], object], named: str) -> None:
    """A generated file that was touched, or a source that was changed alone, is named, and the exit code is 1."""
    change(copy)
    before = contents(copy)
    check = regenerate(copy, "--check")
    assert check.returncode == 1
    assert named in check.stdout
    assert contents(copy) == before


LIMIT = "maxLength: 255"
# What is replaced in the spec by what, and what is said.
WRONG: dict[str, tuple[str, str, str]] = {
    "no YAML": ("openapi: 3.1.0", "openapi: [", "while parsing a flow "),
    "no operation id": ("operationId: updateCustomer", "deprecated: false", "the operation has no operationId"),
    "another body": ("application/json;charset=utf-8:\n            schema:", "text/plain:\n            schema:", ""),
    "bytes": (LIMIT, "format: binary", "BuyerInformation.email: a field of the type "),
    "one of two groups": (
        '/schemas/ObjectInformation"\n',
        '/schemas/ObjectInformation"\n            - $ref: "#/components/schemas/Link"\n',
        "CustomerUpdate.objectInformation: a field of the type ",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_spec_is_refused(copy: Path, old: str, new: str, said: str) -> None:
    """One sentence says what is wrong and where, the exit code is 1, and what was generated stays."""
    before = contents(copy)
    edit(copy, SPEC, old, new)
    refused = regenerate(copy)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert all(line.startswith(f"{SPEC}: ") for line in refused.stderr.splitlines())
    assert said in refused.stderr
    assert "github.com" not in refused.stderr
    assert contents(copy) == before


def test_a_doubtful_spec_is_named_by_check(copy: Path) -> None:
    """What can be generated, and is a mistake or needs a reason, is said by --check alone."""
    edit(copy, SPEC, LIMIT, "nullable: true")
    assert regenerate(copy).stderr == ""
    check = regenerate(copy, "--check")
    place = "components.schemas.BuyerInformation.properties.email"
    assert check.stderr == f'{SPEC}: {place}: nullable has no meaning in OpenAPI 3.1: write type: [..., "null"]\n'
    assert check.returncode == 1


def test_a_field_of_every_type_needs_no_change_in_the_wrapper(copy: Path) -> None:
    """Spec, regenerate, done: the rules of `support/every_type.py` hold for what `support/every_type.yaml` adds."""
    added = yaml.safe_load((SUPPORT / "every_type.yaml").read_text(encoding="utf-8"))
    spec = yaml.safe_load((copy / SPEC).read_text(encoding="utf-8"))
    schemas = spec["components"]["schemas"]
    schemas["CustomerUpdate"]["properties"] |= added["CustomerUpdate"]
    schemas["Customer"]["allOf"][1]["properties"] |= added["Customer"]
    schemas["Customer"]["allOf"][1]["required"] += ["createdAt"]
    schemas |= added["schemas"]
    (copy / SPEC).write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    assert regenerate(copy).stderr == ""
    assert regenerate(copy, "--check").returncode == 0
    roots = os.pathsep.join([str(copy / "generated"), str(copy / "wrapper")])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUPPORT / "every_type.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": roots}, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [path.name for path in sorted(TEMPLATE.parent.iterdir())])
def test_a_template_is_the_generators_own_but_for_the_marked_lines(name: str) -> None:
    """An override has what stands between its comments, for one line at the end at the most, and nothing else."""
    ours = re.sub(
        r"\{# added.*?/added #\}\n", "", (TEMPLATE.parent / name).read_text(encoding="utf-8"), flags=re.DOTALL
    )
    theirs = files("openapi_python_client").joinpath(f"templates/{name}").read_text(encoding="utf-8")
    assert theirs.startswith(ours)
    assert theirs.removeprefix(ours).count("\n") <= 1
