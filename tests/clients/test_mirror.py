"""The sync and the async client mirror each other."""

import ast
from pathlib import Path

import cybersource_tms

PACKAGE = Path(cybersource_tms.__file__).parent
# What the async client calls otherwise.
NAMES = {
    "AbstractAsyncContextManager": "AbstractContextManager",
    "AsyncConnections": "SyncConnections",
    "AsyncCustomersClient": "CustomersClient",
    "AsyncJob": "SyncJob",
    "AsyncIterator": "Iterator",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "anyio": "time",
    "async_attempt": "attempt",
    "AsyncBaseTransport": "BaseTransport",
}


class _ToSync(ast.NodeTransformer):
    """Makes sync source of async source: other names, no awaits, no docstrings."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        fields = {name: getattr(node, name) for name in ast.FunctionDef._fields}
        return self.visit_FunctionDef(ast.copy_location(ast.FunctionDef(**fields), node))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        node.name = NAMES.get(node.name, node.name)
        return self.generic_visit(node)

    visit_ClassDef = visit_FunctionDef  # noqa: N815 - a class has a name, too

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.copy_location(ast.With(items=node.items, body=node.body), node))

    def visit_Await(self, node: ast.Await) -> ast.AST:
        awaited: ast.AST = self.visit(node.value)
        return awaited

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(NAMES.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = NAMES.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Leave out async iterables: the async client takes these, too."""
        if ast.unparse(node.right).startswith("AsyncIterable"):
            left: ast.AST = self.visit(node.left)
            return left
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_docstring = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_docstring else self.generic_visit(node)


def code_of(file: str) -> list[str]:
    """Return the code of a client without its imports and docstrings, as sync source."""
    tree = _ToSync().visit(ast.parse((PACKAGE / file).read_text(encoding="utf-8")))
    body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.unparse(ast.fix_missing_locations(ast.Module(body, []))).splitlines()


def test_the_clients_have_the_same_source() -> None:
    """But for types, names and awaits, the two modules are the same line by line."""
    assert code_of("_async_clients.py") == code_of("_clients.py")
