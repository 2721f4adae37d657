"""How Sphinx makes the site: `make docs`. The reference is written from the code before each build."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from reference import write_reference

project = "Swath"
author = "The Swath authors"
extensions = ["myst_parser"]
exclude_patterns = ["build", "decisions/0000-template.md"]
html_theme = "furo"
html_title = "Swath"
html_copy_source = False
myst_heading_anchors = 3
# Pages link to files of the repository, too; those are none of the site's.
suppress_warnings = ["myst.xref_missing"]


def setup(app: Sphinx) -> None:
    write_reference(Path(__file__).parent / "reference")
