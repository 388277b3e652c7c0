"""Changes the spec in a copy of the repository, and says what is red there; scripts/check_new_fields runs it."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

SPEC, ADDED = Path("spec/customers.yaml"), Path("tests/support/every_type.yaml")
RENAMED = ("comment", "remark")
CHECKS = (["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"], ["pyright"])
TESTS = ("_diff", "_calls", "_cli", "clients", "sandbox", "scripts/test_spec.py")


def main() -> int:
    """Do it, and return the exit code."""
    with TemporaryDirectory() as folder:
        root = Path(folder, "copy")
        copy_to(root)
        change_spec(root / SPEC)
        tests = [f"tests/{each}" for each in TESTS]
        is_red = run(root, "scripts/regenerate") or run(root, "scripts/regenerate", "--check")
        for command in () if is_red else (*CHECKS, ["pytest", "-q", "-n", "2", *tests]):
            is_red = run(root, *command) or is_red
    return int(is_red)


def copy_to(root: Path) -> None:
    """Copy what is under version control or could be, and what mypy knows, which saves it time."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], text=True)
    for name in filter(None, listed.split("\0")):
        if Path(name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, root / name)
    if Path(".mypy_cache").is_dir():
        shutil.copytree(".mypy_cache", root / ".mypy_cache")


def change_spec(path: Path) -> None:
    """Rename a field, in its example too, and add a field of each type."""
    old, new = RENAMED
    spec = yaml.safe_load(re.sub(f"^( *){old}:", f"\\1{new}:", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    added = yaml.safe_load(ADDED.read_text(encoding="utf-8"))
    schemas = spec["components"]["schemas"]
    schemas["CustomerUpdate"]["properties"] |= added["CustomerUpdate"]
    schemas["Customer"]["allOf"][1]["properties"] |= added["Customer"]
    schemas |= added["schemas"]
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")


def run(root: Path, *command: str) -> bool:
    """Run a command in the copy, with the copy's code; return whether it failed, after showing what it says."""
    print(f"==> {' '.join(command)}", flush=True)
    roots = os.pathsep.join([str(root / "generated"), str(root / "wrapper")])
    variables = os.environ | {"PYTHONPATH": roots, "VENV": sys.prefix}
    done = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr)
        for file, count in Counter(re.findall(r"^(?:FAILED|ERROR) ([\w/.]+)", done.stdout, re.MULTILINE)).items():
            print(f"red: {file}, {count}")
    return bool(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
