"""``tensorflow-serving``: serve as ``tensorflow_model_server`` does, with its flags."""

import click

from service.tensorflow_serving.command import main
from understudy.help import SERVING, Command


@click.command(
    cls=Command,
    panel=SERVING,
    short_help="serve with TensorFlow Serving's flags",
    examples={
        "tensorflow-serving --model_name=half --model_base_path=/models/half": "one model",
        "tensorflow-serving --model_config_file=/models/models.config": "several models",
    },
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("flags", nargs=-1, type=click.UNPROCESSED, help="as TensorFlow Serving takes them")
@click.pass_context
def command(context: click.Context, flags: tuple[str, ...]) -> None:
    """Serve models at their base paths, started by the flags of tensorflow_model_server.

    docs/from-tensorflow-serving.md says what each flag does here.
    """
    context.exit(main(flags, "understudy tensorflow-serving"))
