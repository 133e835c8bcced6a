"""Sphinx's settings for the site that tools/build_site.py makes."""

import re

import actlib

project, author, copyright = "actlib", "The actlib maintainers", "The actlib maintainers, MIT licence"
version = release = actlib.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["**/.ipynb_checkpoints"]

nb_execution_mode = "off"  # the outputs that are in the lessons
nb_merge_streams = True
myst_heading_anchors = 3

default_role = "code"  # docstrings quote names as Markdown does
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "set"}  # that of Matplotlib has its own roles
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # docstrings have shapes, dtypes and ranges
add_module_names = False
napoleon_use_rtype = False
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "actlib"
html_favicon = "favicon.svg"
html_css_files = ["site.css"]
html_js_files = [("widgets.js", {"type": "module"})]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b62a8", "color-brand-content": "#0b62a8"},
    "dark_css_variables": {"color-brand-primary": "#6db8ef", "color-brand-content": "#6db8ef"},
}


def keep_columns(_app, kind, _name, _object, _options, lines):
    """Show a module's list of what is in it, a name and a few words a line, as it stands in the code."""
    text = "\n".join(lines)
    if kind == "module" and "\n===" not in text:  # a table stands as it is
        for block in re.findall(r"(?:^\w\S* {2,}\S.*\n?(?:^ .*\n?)*)+", text, re.MULTILINE):
            text = text.replace(block, "::\n\n" + re.sub("^", "    ", block, flags=re.MULTILINE) + "\n")
        lines[:] = text.split("\n")


def setup(app):
    """Tell Sphinx."""
    app.connect("autodoc-process-docstring", keep_columns)
