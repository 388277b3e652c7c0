"""The settings of the site, which scripts/docs builds with Sphinx."""

import re
from typing import Any, get_type_hints

from sphinx.application import Sphinx

import cybersource_tms
import cybersource_tms_sandbox
from cybersource_tms import __version__
from cybersource_tms_api import models

project = "cybersource-tms"
copyright = "the cybersource-tms authors"  # noqa: A001 - Sphinx calls it so
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
default_role = "py:obj"  # a docstring has single backticks
add_module_names = False
autodoc_member_order = "bysource"
napoleon_use_ivar = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "cybersource-tms"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "nord-darker"

PROJECT_PAGES = {
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "CHANGELOG.md": "changelog",
    "scripts/README.md": "scripts",
}
MODELS = [model for name in models.__all__ if isinstance(model := getattr(models, name), type)]

for model in MODELS:  # their hints are text, which names the modules that they are really in
    model.__annotations__ = get_type_hints(model, localns=vars(models))
for module in (cybersource_tms, cybersource_tms_sandbox):
    for name in module.__all__:
        if isinstance(thing := getattr(module, name), type):
            thing.__module__ = module.__name__


def setup(app: Sphinx) -> None:
    """Connect what is below."""
    app.connect("source-read", link_project_pages)
    app.connect("source-read", list_models)
    app.connect("include-read", lambda app, _path, name, content: link_project_pages(app, name, content))
    app.connect("autodoc-process-docstring", mark_code, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", hide_signature)


def link_project_pages(_app: Sphinx, _name: str, content: list[str]) -> None:
    """Let links to files of the repository lead to the pages that show them."""
    for file, page in PROJECT_PAGES.items():
        content[0] = re.sub(rf"\]\((?:\.\./)*{file}", f"](/project/{page}.md", content[0])
    content[0] = re.sub(r"\]\((?:\.\./)+README\.md#credentials", "](/index.md#credentials", content[0])


def list_models(_app: Sphinx, _name: str, content: list[str]) -> None:
    """List the models of the spec where a page wants them."""
    listed = "".join(f".. autoclass:: cybersource_tms.{model.__name__}\n" for model in MODELS)
    content[0] = content[0].replace(".. models::\n", listed)


def mark_code(_app: Sphinx, _what: str, _name: str, _thing: object, _options: Any, lines: list[str]) -> None:
    """Mark code, which is indented after an empty line, and the tree of errors."""
    marked: list[str] = []
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else ""
        if line.startswith("    ") and not before and not (marked and in_block(marked)):
            marked += [".. code-block:: python", ""]
        if line.startswith("CybersourceError "):
            marked += [".. code-block:: text", ""]
        is_tree = line.startswith(("CybersourceError ", "├", "│", "└", "    ├", "    └"))
        marked.append("    " + line if is_tree else line)
    lines[:] = marked


def in_block(lines: list[str]) -> bool:
    """Say whether the last line with text is indented: a block of code goes on after an empty line."""
    return next((line for line in reversed(lines) if line), "").startswith("    ")


def hide_signature(
    _app: Sphinx, _what: str, _name: str, thing: object, _options: Any, signature: str | None, _returned: str
) -> tuple[str, str] | None:
    """Hide the arguments of models, and of errors, which the library makes: their attributes say the same."""
    is_error = isinstance(thing, type) and issubclass(thing, Exception)
    return ("", "") if signature and (thing in MODELS or is_error) else None
