"""``serve``: serve the models in a folder, under gunicorn."""

import os

import click

from service.server.gunicorn_command import become_gunicorn
from service.settings.environment_variables import SettingError
from service.settings.settings import Settings
from understudy.help import SERVING, Command, Option

# The options, each with the environment variable of its setting.
_VARIABLES = {
    "host": "HOST",
    "port": "PORT",
    "models": "MODELS",
    "workers": "UNDERSTUDY_WORKERS",
}


@click.command(
    cls=Command,
    panel=SERVING,
    short_help="serve the models in a folder over HTTP",
    examples={
        "serve": "serve saved_models/ on http://127.0.0.1:8501",
        "serve --port 9000 --models /srv/models": "another port, another folder",
        "serve --host 0.0.0.0 --workers 4": "reachable from other machines, four processes",
    },
)
@click.option(
    "--host", cls=Option, metavar="ADDRESS", shown="127.0.0.1", help="address to listen on"
)
@click.option("--port", cls=Option, metavar="N", shown="8501", help="port to listen on")
@click.option(
    "--models", cls=Option, metavar="FOLDER", shown="saved_models", help="folder of models"
)
@click.option("--workers", cls=Option, metavar="N", shown="one a core", help="worker processes")
def command(**options: str | None) -> None:
    """Serve the models in a folder, and every version that is published into it later.

    Environment variables hold the same settings (HOST, PORT, MODELS, UNDERSTUDY_WORKERS) and all
    others (README, "Configuration"); an option wins over its variable.
    """
    given = {_VARIABLES[name]: value for name, value in options.items() if value is not None}
    environment = {**os.environ, **given}
    try:
        Settings.from_environ(environment)
    except SettingError as error:
        raise click.UsageError(str(error)) from error
    become_gunicorn(environment)
