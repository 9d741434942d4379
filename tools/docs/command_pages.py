"""The commands of ``understudy`` as Markdown, from the objects that parse them."""

from collections.abc import Iterator
from html import escape

import click

from understudy import commands
from understudy.help import PANELS, Command

_NAME = "understudy"


def command_reference() -> str:
    """Return a section for each command: what it does, its arguments and options, examples."""
    found = {name: commands.find(name) for name in commands.names()}
    lines: list[str] = []
    for panel in PANELS:
        lines += [f"## {panel}", ""]
        for name, command in found.items():
            if isinstance(command, Command) and command.panel == panel:
                lines += _section(name, command)
    return "\n".join(lines)


def _section(name: str, command: Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"{_NAME} {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from (f"### `{_NAME} {name}`", "")
    for paragraph in (command.help or "").split("\n\n"):
        yield from (escape(" ".join(paragraph.split()), quote=False), "")
    yield from ("```text", usage, "```", "")
    yield from ("| argument or option | meaning |", "|---|---|")
    for param in command.params:  # Without --help, which all have.
        names, meaning = _record(param, context)
        if names:
            yield f"| `{names}` | {escape(meaning, quote=False).replace('|', chr(92) + '|')} |"
    yield from ("", "```sh")
    for line, words in command.examples.items():
        yield f"{_NAME} {line}  # {words}"
    yield from ("```", "")


def _record(param: click.Parameter, context: click.Context) -> tuple[str, str]:
    """Return the names of an argument or option and its meaning; empty for what is hidden."""
    if isinstance(param, click.Argument):
        return param.make_metavar(context), param.help or ""
    names, meaning = param.get_help_record(context) or ("", "")
    return names, " ".join(meaning.split())
