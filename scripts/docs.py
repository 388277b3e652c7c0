"""Builds the API reference of the public modules with pdoc; scripts/docs runs it."""

import re
import shutil
import sys
from pathlib import Path
from typing import get_type_hints

import attrs
import pdoc

import cybersource_tms
from cybersource_tms import Unset, errors
from cybersource_tms_api import models

PUBLIC = ("cybersource_tms", "cybersource_tms_sandbox")  # pdoc adds cybersource_tms.errors by itself
TEMPLATES = Path("scripts/docs_templates")


def main(folder: Path) -> None:
    """Build the pages in a folder, in place of what was built there before."""
    for model in (getattr(models, name) for name in models.__all__):
        if isinstance(model, type):  # so that signatures name it as users import it, and link to it
            model.__annotations__ = get_type_hints(model, localns=vars(models))
            model.__module__ = "cybersource_tms"
    Unset.__module__ = "cybersource_tms"
    for thing in (*vars(cybersource_tms).values(), *vars(errors).values()):
        if isinstance(thing, type) and attrs.has(thing):
            thing.__init__.__doc__ = None  # which says that attrs has made it
    errors.__doc__ = re.sub(
        "^(?=CybersourceError|[├│└ ])", "    ", errors.__doc__ or "", flags=re.MULTILINE
    )  # the tree
    shutil.rmtree(folder, ignore_errors=True)
    pdoc.render.configure(docformat="google", show_source=False, template_directory=TEMPLATES)
    pdoc.pdoc(*PUBLIC, output_directory=folder)
    print(f"==> {folder / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
