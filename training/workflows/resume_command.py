"""The command that goes on with a run, as messages name it."""

import json
import shlex

from service.repository.rollout_policy import Rollout, RolloutRules
from training.fitting.run_folder import Run


def resume_command(run: Run, *options: str, rollout: RolloutRules | None) -> str:
    """Return the command that goes on with a run, for a shell.

    Args:
        run: the run.
        options: of the command, beside.
        rollout: the rules by which the version was to be put on trial, which a run does not hold:
            without the option it would serve at once. ``None`` where it was to serve at once.
    """
    words = ["understudy", "train", run.settings.model, "--resume", str(run.folder), *options]
    if rollout is not None:
        words.append("--rollout")
        rules = Rollout("", 0, rules=rollout).to_json()["rules"]
        words += ["--rollout-rules", json.dumps(rules)] if rules else []
    return shlex.join(words)
