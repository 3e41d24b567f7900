from gizzi import UNKNOWN, rule


@rule("acme_leaves", severity="low", hold="5m", needs=("number_leaves",))
def acme_leaves(v, fleet, *, above=20):
    """It keeps many forks of the chain."""
    if v.number_leaves is None:
        return UNKNOWN
    return f"{v.number_leaves} leaves" if v.number_leaves > above else None
