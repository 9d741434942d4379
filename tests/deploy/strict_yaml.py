"""YAML in which no key may come twice."""

from typing import Any

import yaml


class StrictLoader(yaml.CSafeLoader):
    """Refuses a key that comes twice in a mapping, as Docker Compose and Kubernetes do."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{twice} at {node.start_mark}"
        return super().construct_mapping(node, deep)
