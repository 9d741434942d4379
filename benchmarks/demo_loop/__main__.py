"""``python -m benchmarks.demo_loop``: run the demonstration and draw its picture."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.demo_loop.loop_story import Plan, run_demo
from benchmarks.demo_loop.picture import draw_story
from benchmarks.errors import BenchmarkError
from benchmarks.process import exit_on_sigterm
from training.data import auto_mpg
from training.data.dataset_location import find_or_download
from training.errors import TrainingError


def main() -> int:
    """Run it; 1 where a step did not come to its end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo_loop", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it into an SVG or PNG")
    arguments = parser.parse_args()
    exit_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="understudy-loop-") as name:
        try:
            story = run_demo(
                auto_mpg.read(find_or_download(auto_mpg.AUTO_MPG, None)), Path(name), Plan()
            )
        except (BenchmarkError, TrainingError) as error:
            print(error, file=sys.stderr)
            return 1
    clients = story.clients
    print(f"{len(clients.answers):,} answers, {len(clients.failed)} requests without one")
    for part, mean in story.errors.items():
        print(f"mean absolute error {part}: {mean:.2f} mi/gal")
    if arguments.picture:
        draw_story(story, arguments.picture)
    return 1 if clients.failed else 0


if __name__ == "__main__":
    sys.exit(main())
