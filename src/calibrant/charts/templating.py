"""What all pages share: templates that escape, style in the page itself, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

import jinja2

from calibrant.charts import theme


def part(name: str) -> str:
    """The text of a file beside the templates."""
    return resources.files("calibrant.charts").joinpath("templates", name).read_text(encoding="utf-8")


def policy(css: str, script: str | None = None) -> str:
    """A content security policy: exactly this style, this script or none, images in the page, and no network."""
    scripts = f"script-src '{_digest(script)}'; " if script is not None else ""
    return (
        f"default-src 'none'; style-src '{_digest(css)}'; {scripts}img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def template(name: str) -> jinja2.Template:
    """A template that escapes whatever it is given, and fails on a name that it was not given."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=jinja2.FunctionLoader(part),
    )  # fmt: skip
    environment.globals |= {"number": theme.number}
    return environment.get_template(name)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
