"""Generates the package from the spec into a folder, if the spec allows it. scripts/regenerate runs this."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml
from openapi_python_client import Project
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError

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
    return report(mistakes or generate_into(folder / PACKAGE, spec))


def report(mistakes: list[str]) -> int:
    """Print what is wrong, and return the exit code."""
    for mistake in mistakes:
        print(f"{SPEC}: {mistake}", file=sys.stderr)
    return 1 if mistakes else 0


def generate_into(package: Path, spec: Any) -> list[str]:
    """Generate the package, and return what the generator has left out."""
    settings = ConfigFile.load_from_path(Path("spec/generator.yaml"))
    config = Config.from_sources(settings, MetaType.NONE, SPEC, "utf-8", overwrite=False, output_path=package)
    data = GeneratorData.from_dict(spec, config=config)
    if isinstance(data, GeneratorError):
        return sentences([data])
    with redirect_stdout(None):
        failures = Project(openapi=data, config=config, custom_template_path=Path("spec/templates")).build()
    (package / "py.typed").touch()
    write_json(package / "openapi.json", spec)  # for the wrapper and the sandbox, whose users have only the wheel
    write_json(package / "attributes.json", attributes(data))
    return sentences(failures)


def attributes(data: GeneratorData) -> dict[str, dict[str, str]]:
    """Return for each model the name in the API of each attribute."""
    return {
        str(model.class_info.name): {
            str(each.python_name): each.name.get_untrusted_value()
            for each in (*(model.required_properties or ()), *(model.optional_properties or ()))
        }
        for model in sorted(data.models, key=lambda model: model.class_info.name)
    }


def write_json(path: Path, content: object) -> None:
    """Write a file of data."""
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def sentences(failures: Any) -> list[str]:
    """Return what the generator says, without line breaks."""
    return [" ".join(f"{failure.header} {failure.detail or ''}".split()) for failure in failures]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), strict="--check" in sys.argv))
