"""Generates the package from the spec, if the spec is right. scripts/regenerate runs it."""

import json
import re
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openapi_python_client import Project
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError

import check_spec
from read_spec import read, schemas, types
from resolve_schema import customer_schema, model_fields

SPEC = Path("spec/customers.yaml")
PACKAGE = Path("generated/cybersource_tms_api")
SCHEMA = Path("schema.json")

Files = dict[Path, bytes]


def main(*, is_check: bool) -> int:
    """Print what is wrong with the spec, or else what has changed, and return the exit code."""
    spec, mistakes = read(SPEC.read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder:
        fresh = Path(folder, PACKAGE.name)
        mistakes = mistakes or check_spec.mistakes(spec) or generate(spec, fresh)
        for mistake in mistakes:
            print(f"{SPEC}: {mistake}", file=sys.stderr)
        if mistakes:
            return 1
        changes = differences(files(PACKAGE), files(fresh))
        if not is_check:
            shutil.rmtree(PACKAGE, ignore_errors=True)
            shutil.copytree(fresh, PACKAGE)
    print(*changes, sep="\n", end="\n" if changes else "")
    if is_check and changes:
        print(f"{PACKAGE} is not what spec/ says: run scripts/regenerate", file=sys.stderr)
    return int(is_check and bool(changes))


def generate(spec: Any, package: Path) -> list[str]:
    """Generate the package, and return what the generator has left out."""
    settings = ConfigFile.load_from_path(Path("spec/generator.yaml"))
    config = Config.from_sources(settings, MetaType.NONE, SPEC, "utf-8", overwrite=False, output_path=package)
    data = GeneratorData.from_dict(titled(spec), config=config)
    if isinstance(data, GeneratorError):
        return [sentence(data)]
    with redirect_stdout(None):
        failures = Project(openapi=data, config=config, custom_template_path=Path("spec/templates")).build()
    (package / "py.typed").touch()
    # What the sandbox and the library read, whose users have only the wheel.
    (package / "openapi.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")
    (package / SCHEMA).write_text(json.dumps(schema(spec, data), indent=1), encoding="utf-8")
    return [sentence(failure) for failure in failures]


def titled(spec: Any) -> Any:
    """Return a copy with a title for each object and enum within a field: the generator would number their classes."""
    copy = json.loads(json.dumps(spec))
    for place, schema in schemas(copy):
        _, is_field, name = place.rpartition(".properties.")
        if is_field and ("object" in types(schema) or "enum" in schema):
            *_, name = re.sub(r"\.(oneOf|anyOf)\[.\]", "", name).split(".additionalProperties")
            schema.setdefault("title", (name or "value").replace(".items", " item"))
    return copy


def schema(spec: Any, data: GeneratorData) -> dict[str, Any]:
    """Return the attribute of each field of each model, and the schema of a customer."""
    models = {str(model.class_info.name): model for model in data.models}
    return {
        "models": {
            name: {each.name.get_untrusted_value(): str(each.python_name) for each in model_fields(model)}
            for name, model in sorted(models.items())
        },
        "customer": customer_schema(spec, models),
    }


def sentence(failure: GeneratorError) -> str:
    """Return what the generator says, without line breaks."""
    return " ".join(f"{failure.header} {failure.detail or ''}".split())


def files(root: Path) -> Files:
    """Return what is in each file of a folder."""
    paths = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    return {path.relative_to(root): path.read_bytes() for path in paths}


def differences(old: Files, new: Files) -> list[str]:
    """Say which files and which fields were added, removed and changed."""
    lines = [
        f"{'changed' if path in old and path in new else 'added' if path in new else 'removed'} {PACKAGE / path}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    before, after = fields(old), fields(new)
    return [
        *lines,
        *(f"added the field {field}" for field in sorted(after - before)),
        *(f"removed the field {field}" for field in sorted(before - after)),
    ]


def fields(package: Files) -> set[str]:
    """Return the fields of all models."""
    models = json.loads(package[SCHEMA])["models"] if SCHEMA in package else {}
    return {f"{model}.{name}" for model, names in models.items() for name in names}


if __name__ == "__main__":
    sys.exit(main(is_check="--check" in sys.argv))
