"""``understudy``: the command line, from its arguments to an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib import metadata

import click
from click.shell_completion import shell_complete

import service
from understudy import commands
from understudy.failures import Failure, failure_of
from understudy.help import Group
from understudy.signals import stops_as_by_ctrl_c

NAME = "understudy"
DONE = 0
_COMPLETE = "_UNDERSTUDY_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; failures are a sentence on standard error."""
    # Otherwise TensorFlow logs its start-up.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    group = _group()
    if instruction := os.environ.get(_COMPLETE):
        return shell_complete(group, {}, NAME, _COMPLETE, instruction)
    try:
        with stops_as_by_ctrl_c():
            given = sys.argv[1:] if arguments is None else arguments
            with group.make_context(NAME, list(given)) as context:
                group.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (Exception, KeyboardInterrupt) as error:
        failure: Failure | None = failure_of(error)
        if failure is None:
            raise
        # Not click's echo, which takes other ways than the streams that drop nothing.
        styled = sys.stderr.isatty()
        sentence = failure.sentence if styled else click.unstyle(failure.sentence)
        sys.stderr.write(f"{sentence}\n")
        return failure.exit_code
    return DONE


def _group() -> Group:
    return Group(
        NAME,
        names=commands.names,
        find=commands.find,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Serve TensorFlow models, and train new versions that the service takes over.",
        epilog="`understudy COMMAND --help` shows a command's options, with examples. "
        f'Completion: eval "$({_COMPLETE}=bash_source {NAME})"; zsh_source and fish_source work '
        "as well.",
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_version,
                help="Show the versions of Understudy, Python and TensorFlow.",
            )
        ],
    )


def _show_version(context: click.Context, _param: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"{NAME} {service.__version__} (Python {python}, TensorFlow {_tensorflow()})")
    context.exit()


def _tensorflow() -> str:
    """Return the installed version without importing it, which takes seconds."""
    for package in ("tensorflow", "tensorflow-cpu"):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"
