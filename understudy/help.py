"""What ``--help`` shows: panels of commands and options, defaults, examples; one line each.

click is what Flask's own command line is built on, so that a serving environment needs nothing more
for this one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

# Of the commands, in the order in which the help shows them.
SERVING, TRAINING, IMPROVING, PUBLISHED = (
    "Serve models",
    "Train models",
    "Find better settings",
    "Look at models and data, choose what serves",
)
PANELS = (SERVING, TRAINING, IMPROVING, PUBLISHED)
_OPTIONS = "Options"


class Option(click.Option):
    """An option with a panel.

    Args:
        panel: the heading that the help shows it under.
        shown: its default, for people, where the option has none of its own; empty for nothing.
    """

    def __init__(
        self, *args: Any, panel: str = _OPTIONS, shown: object = "", **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.panel = panel
        self._shown = str(shown)

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        return {**extra, "default": self._shown} if self._shown else extra


class Command(click.Command):
    """A command that belongs to a panel and comes with examples.

    Attributes:
        panel: the heading that the help shows it under, one of ``PANELS``.
        examples: command lines, without ``understudy``, each with a few words about it.
    """

    def __init__(
        self, *args: Any, panel: str, examples: Mapping[str, str], **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.panel = panel
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            # Arguments stand above, in a panel of click's own.
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)):
                panels.setdefault(getattr(param, "panel", _OPTIONS), []).append(record)
        _write(formatter, panels)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            options = [each for each in self.params if isinstance(each, click.Option)]
            hidden = {name for each in options if each.hidden for name in each.opts}
            shown = [each for each in error.possibilities or () if each not in hidden]
            raise click.NoSuchOption(error.option_name, possibilities=shown, ctx=ctx) from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = {f"understudy {line}": words for line, words in self.examples.items()}
        if not lines:
            return
        with _section(formatter, "Examples"):
            for line, words in lines.items():
                formatter.write(f"  # {words}\n  {line}\n")


class Group(click.Group):
    """The commands, which are found and imported only where they are needed.

    Args:
        names: returns the commands' names.
        find: imports a command by its name; ``None`` where there is none, ImportError where it
            needs what is not installed.
    """

    def __init__(
        self,
        *args: Any,
        names: Callable[[], Sequence[str]],
        find: Callable[[str], click.Command | None],
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self._names = names
        self._find = find

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._find(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args[0] not in names and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=names, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        panels: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS}
        for name in self.list_commands(ctx):
            try:
                command = self._find(name)
            except ModuleNotFoundError:
                continue  # An image that only serves brings no trainer.
            assert isinstance(command, Command)
            panels[command.panel].append((name, command.get_short_help_str(60)))
        _write(formatter, panels)


def _write(formatter: click.HelpFormatter, panels: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    for title, records in panels.items():
        if records:
            with _section(formatter, title):
                formatter.write_dl(records)


@contextmanager
def _section(formatter: click.HelpFormatter, title: str) -> Iterator[None]:
    """Begin a panel; its title is bold on a terminal."""
    formatter.write_paragraph()
    formatter.write(click.style(f"{title}:\n", bold=True))
    with formatter.indentation():
        yield
