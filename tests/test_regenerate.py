"""The generated client is what the spec says, and following a change of the spec needs no hand."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

PACKAGE = Path("generated/cybersource_tms_api")
SPEC = Path("spec/customers.yaml")
TEMPLATE = Path("spec/templates/types.py.jinja")
MODEL = PACKAGE / "models/link.py"


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


def test_what_the_generator_does_not_understand_is_an_error(copy: Path) -> None:
    """A part of the spec that the generator would drop stops it, and what was generated stays."""
    before = contents(copy)
    edit(copy, SPEC, "application/json;charset=utf-8:\n            schema:", "text/plain:\n            schema:")
    assert regenerate(copy).returncode != 0
    assert contents(copy) == before


def test_a_new_field_needs_no_change_in_the_wrapper(copy: Path) -> None:
    """A field and a group that are added to the spec are in the models, and the wrapper compares and checks them."""
    edit(
        copy,
        SPEC,
        "      properties:\n        merchantCustomerID:",
        "      properties:\n"
        "        loyaltyPoints:\n"
        '          type: [integer, "null"]\n'
        "          description: How loyal the customer is.\n"
        "        merchantCustomerID:",
    )
    edit(
        copy,
        SPEC,
        "        clientReferenceInformation:\n          description",
        "        loyalty:\n"
        "          oneOf:\n"
        "            - type: object\n"
        "              title: Loyalty\n"
        "              properties:\n"
        '                tier: {type: [string, "null"]}\n'
        '            - type: "null"\n'
        "        clientReferenceInformation:\n          description",
    )
    assert regenerate(copy).returncode == 0
    code = """if True:
        from cybersource_tms import BuyerInformation, Customer, CustomerUpdate, changed_fields, errors
        before = Customer.from_dict({"id": "1", "buyerInformation": {"loyaltyPoints": 1, "email": "a@example.com"}})
        after = CustomerUpdate(buyer_information=BuyerInformation(loyalty_points=2, email="a@example.com"))
        print(changed_fields(before, after).to_dict())
        print(changed_fields(before, {"loyalty": {"tier": "gold"}}).to_dict())
        print(changed_fields(before, {"buyerInformation": {"loyaltyPoints": None}}).to_dict())
        try:
            changed_fields(before, CustomerUpdate(buyer_information=BuyerInformation(loyalty_points="many")))
        except errors.InvalidRequest as error:
            print(error)
    """
    roots = os.pathsep.join([str(copy / "generated"), str(copy / "wrapper")])
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": roots}, check=True)
    assert done.stdout.splitlines() == [
        "{'buyerInformation': {'loyaltyPoints': 2}}",
        "{'loyalty': {'tier': 'gold'}}",
        "{'buyerInformation': {'loyaltyPoints': None}}",
        "after: buyerInformation.loyaltyPoints: expected a whole number or null, not text",
    ]


def test_the_template_is_the_generators_own_but_for_the_marked_lines() -> None:
    """The override adds what stands between its two comments, and has nothing else of its own."""
    ours = TEMPLATE.read_text(encoding="utf-8")
    start, end = ours.index("{# added:"), ours.index("{# /added #}\n") + len("{# /added #}\n")
    theirs = files("openapi_python_client").joinpath("templates/types.py.jinja").read_text(encoding="utf-8")
    assert ours[:start] + ours[end:] == theirs
    assert [path.name for path in TEMPLATE.parent.iterdir()] == [TEMPLATE.name]
