"""The settings of the service as a Markdown table."""

from html import escape
from typing import get_args, get_type_hints

from service.settings.environment_variables import EnvironmentVariable
from service.settings.settings import Settings


def settings_table() -> str:
    """Return a row for each setting: variable, meaning, default and allowed values."""
    kinds = {
        variable.name: kind
        for kind, variable in (
            get_args(hint) for hint in get_type_hints(Settings, include_extras=True).values()
        )
    }
    rows = ["| variable | meaning | default | values |", "|---|---|---|---|"]
    for variable, default in Settings.table():
        shown = f"`{default}`" if default else ""
        values = _values(kinds[variable.name], variable)
        rows.append(f"| `{variable.name}` | {escape(variable.help, quote=False)} | {shown} | {values} |")
    return "\n".join(rows) + "\n"


def _values(kind: object, variable: EnvironmentVariable) -> str:
    if kind is bool:
        return "`true` or `false`"
    if variable.choices:
        return ", ".join(f"`{choice}`" for choice in variable.choices)
    if kind not in (int, float):
        return "text" if kind is str else "a path"
    noun = "whole number" if kind is int else "number"
    if variable.least is None:
        return noun
    least = f"{variable.least:,}"
    if variable.most is None:
        return f"{noun}, at least {least}"
    return f"{noun}, {least} to {variable.most:,}"
