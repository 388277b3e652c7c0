"""Who may import whom: the rooms have an order, the tests look inside pure rooms only, and nothing is a circle."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

WRAPPER = Path("wrapper")
LIBRARY = "cybersource_tms"
FLOORS = [  # each room may import those on lower floors, and none beside it
    {"__init__", "__main__", "_cli"},
    {"_clients", "_async_clients"},
    {"_base_client", "_many"},
    {"_http"},
    {"_calls"},
    {"_credentials", "_diff"},
    {"errors", "_tracebacks", "_version"},
]
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}
PURE = {"_calls", "_credentials", "_diff"}
TRANSPORT = {"Client", "AsyncClient", "HTTPTransport", "AsyncHTTPTransport", "BaseTransport", "AsyncBaseTransport"}
# Tests that look inside, and why.
LOOK_INSIDE = {
    "tests/many/test_many.py",  # a wait of an hour takes no time
    "tests/support/every_type.py",  # a cell of every type is read, without a service
}


def imports(path: Path, package: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield what a file imports, each as the path of a module or of a name in one; `package` is where the file is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            yield from ((*base, *module, alias.name) for alias in node.names)


def modules(package: str) -> dict[tuple[str, ...], Path]:
    """Return the modules of a package by their dotted names, as tuples; a package's own code is its `__init__`."""
    return {path.relative_to(WRAPPER).with_suffix("").parts: path for path in (WRAPPER / package).rglob("*.py")}


def imported_modules(package: str) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Return which modules of a package each of its modules imports."""
    known = modules(package)

    def module(name: tuple[str, ...]) -> tuple[str, ...]:
        candidates = (name, name[:-1], (*name, "__init__"), (*name[:-1], "__init__"))
        return next((each for each in candidates if each in known), ())

    return {name: {module(each) for each in imports(path, name[:-1])} - {()} for name, path in known.items()}


def test_rooms_import_downwards() -> None:
    """A room imports only those on lower floors."""
    found = {
        (name[1], other[1])
        for name, others in imported_modules(LIBRARY).items()
        for other in others
        if name[1] != other[1] and FLOOR_OF[name[1]] >= FLOOR_OF[other[1]]
    }
    assert found <= {("__main__", "_cli"), ("_cli", "__init__")}


def test_only_the_command_imports_the_command() -> None:
    """Whoever uses the library does not load `_cli`."""
    users = {name[1] for name, others in imported_modules(LIBRARY).items() for other in others if other[1] == "_cli"}
    assert users == {"__main__", "_cli"}


@pytest.mark.parametrize("package", [LIBRARY, "cybersource_tms_sandbox"])
def test_no_circle(package: str) -> None:
    """No modules import each other."""
    TopologicalSorter(imported_modules(package)).prepare()  # raises CycleError


def test_pure_rooms_know_no_transport() -> None:
    """What builds, signs and reads requests sends none."""
    for name, path in modules(LIBRARY).items():
        if name[1] in PURE:
            code = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            assert not {node.attr for node in code if isinstance(node, ast.Attribute)} & TRANSPORT, path
            assert not [each for each in imports(path) if each[0] in {"httpcore", "anyio", "socket", "h11"}], path


FORBIDDEN = {
    "generated": {"cybersource_tms", "cybersource_tms_sandbox"},
    "wrapper/cybersource_tms": {"cybersource_tms_sandbox"},
    "wrapper/cybersource_tms_sandbox": {"cybersource_tms", "cybersource_tms_api", "joserfc"},
}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_layers(folder: str) -> None:
    """Nothing generated knows the wrapper; the sandbox knows neither, or it would agree with their mistakes."""
    for path in Path(folder).rglob("*.py"):
        assert not {each[0] for each in imports(path)} & FORBIDDEN[folder], path


def test_tests_look_inside_pure_rooms_only() -> None:
    """Only the tests of a pure room know what is inside it, so that the others survive a move."""
    found = {
        path.as_posix()
        for path in Path("tests").rglob("*.py")
        for name in imports(path)
        if name[0] == LIBRARY and [part for part in name[1:] if part.startswith("_") and not part.startswith("__")]
        if not (name[1] in PURE and path.parts[1] == name[1])
    }
    assert found == LOOK_INSIDE
