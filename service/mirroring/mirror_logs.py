"""Lines of the mirror's processes in the service's log, in the form that it has."""

import logging.config
import os
import sys

from service.monitoring import terminal
from service.monitoring.logs import AUTO, FOR_PEOPLE, TEXT, log_config
from service.settings.settings import Settings


def log_as_the_service_does() -> None:
    """Let this process log as the service does, by the same setting."""
    form = Settings.from_environ(os.environ).log_format
    text = form == TEXT or (form == AUTO and terminal.is_terminal(sys.stderr))
    colours = terminal.has_colours(sys.stderr, os.environ)
    logging.config.dictConfig(log_config(text=text, colours=colours))
    FOR_PEOPLE.has_greeted = True
