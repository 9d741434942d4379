"""Where the operations of a graph run."""

import re
from typing import Any

_MACHINE = re.compile(r"/(?:job|replica|task):[^/]*")


def leave_cluster(graph: Any) -> None:
    """Let a ``GraphDef`` run on this machine, whichever machines of a cluster it was pinned to.

    The devices of nodes stay: soft placement finds others for those that this machine lacks. For
    other machines it finds none, and of functions it would say so at the first call only.
    """
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            if node.device:
                node.device = _MACHINE.sub("", node.device)
