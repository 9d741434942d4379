"""Show what the graph, the card and the policy say of a SavedModel's signatures."""

from pathlib import Path

from service.repository.model_card import read_card
from service.repository.model_policy import read_policy
from service.repository.row_independence import decide, of_policy, prove_independence
from training.console.terminal_table import print_table
from training.errors import UsageError


def show_independence(folder: Path) -> None:
    """Print for each signature of a SavedModel whether rows are independent, who says so, and why.

    The card's word and the policy's count before the graph's, as they do in the service.

    Raises:
        UsageError: there is no SavedModel in the folder.
        RepositoryError: the card or the policy cannot be read.
    """
    proofs = prove_independence(folder)
    if not proofs:
        raise UsageError(f"{folder} holds no SavedModel that can be read.")
    card, declared = read_card(folder), read_policy(folder.absolute().parent).rows_independent
    rows = []
    for name, proof in sorted(proofs.items()):
        signature = card.contract.get(name) if card else None
        said, source, reason = proof.holds, "graph", proof.reason
        if signature is not None:
            verdict = decide(signature, proof, "", declared)
            said, source, reason = verdict.holds, verdict.source, verdict.reason
        elif (word := of_policy(name, declared)) is not None:
            said, source, reason = word, "policy", "policy.json says so."
        if source != "graph":
            reason += f" The graph: {proof.reason}"
        rows.append((name, "yes" if said else "no", source, reason))
    print_table(("signature", "rows independent", "source", "reason"), rows)
