"""The documentation site, which works offline: `python -m sphinx -W -b html docs build/site`."""

from __future__ import annotations

import sys
from pathlib import Path

import einback

sys.path.insert(0, str(Path(__file__).parent))

project = "einback"
author = "the einback authors"
project_copyright = "the einback authors"
release = version = einback.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_pages"]
exclude_patterns = ["reference"]
default_role = "code"
nitpicky = False

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "furo"
html_title = f"einback {release}"
html_math_renderer = "mathml"
