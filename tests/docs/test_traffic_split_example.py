"""The example of a hash, by which clients compute for themselves who gets the candidate."""

import re
from pathlib import Path

from service.repository.rollout_policy import Stage
from service.runtime.traffic_split import TrafficSplit, hash64

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "rollouts.md"


def test_a_hash_of_the_guide_is_the_one_that_splits() -> None:
    found = re.search(
        r"gets the candidate at (\d+) %, and not at (\d+) %:\n\n```console\n"
        r"\$ printf '(\w+)\\0([\w-]+)\\0([\w-]+)' \| b2sum -l 64\n([0-9a-f]{16})  -\n",
        GUIDE.read_text(encoding="utf-8"),
    )
    assert found is not None
    gets, not_yet, rollout, model, key, digest = found.groups()
    assert hash64(rollout, model, key) == int(digest, 16)
    for percent in (gets, not_yet):
        split = TrafficSplit(rollout, 1, 2, Stage.CANARY, float(percent))
        assert split.is_candidates(int(digest, 16)) is (percent == gets)
