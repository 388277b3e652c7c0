"""Generates the package from the spec into a folder, if spec and wrapper allow it. scripts/regenerate runs this."""

import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

import check_spec

SPEC = Path("spec/customers.yaml")
PACKAGE = "cybersource_tms_api"


def main(folder: Path, *, strict: bool) -> int:
    """Print one sentence for each mistake, with its place in the spec, and return the exit code."""
    try:
        spec: Any = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        return report([" ".join(str(error).split())])
    mistakes = check_spec.errors(spec) or (check_spec.warnings(spec) if strict else [])
    return report(mistakes or generate_into(folder) or unsupported_fields(folder))


def report(mistakes: list[str]) -> int:
    """Print what is wrong, and return the exit code."""
    for mistake in mistakes:
        print(f"{SPEC}: {mistake}", file=sys.stderr)
    return 1 if mistakes else 0


def generate_into(folder: Path) -> list[str]:
    """Generate the package, and return what the generator has left out."""
    settings = ConfigFile.load_from_path(Path("spec/generator.yaml"))
    config = Config.from_sources(settings, MetaType.NONE, SPEC, "utf-8", overwrite=False, output_path=folder / PACKAGE)
    with redirect_stdout(None):
        failures = generate(config=config, custom_template_path=Path("spec/templates"))
    return [" ".join(f"{failure.header} {failure.detail or ''}".split()) for failure in failures]


def unsupported_fields(folder: Path) -> list[str]:
    """Return which fields are of a type that the wrapper does not know."""
    # The freshly generated package, and the one module of the wrapper that is about it.
    sys.path[:0] = [str(folder), "wrapper/cybersource_tms"]
    models, fields = import_module(f"{PACKAGE}.models"), import_module("_fields")
    mistakes: list[str] = []
    for model in (getattr(models, name) for name in models.__all__):
        try:
            if isinstance(model, type):  # and not the name of an enum's values
                fields.kinds_of(model)
        except TypeError as error:
            mistakes.append(str(error))
    return mistakes


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), strict="--check" in sys.argv))
