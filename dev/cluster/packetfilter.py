"""Removing what kube-proxy, kubelet and others leave behind in the packet filter."""

from dev.shell import run, succeeds

PREFIX = "KUBE-"


def clean(prefixes: tuple[str, ...] = (PREFIX,)) -> list[str]:
    """Remove all chains and sets of these names, and the rules that lead to such a chain.

    The names begin with one of ``prefixes``. Returns what was done.
    """
    done = []
    for family in ("iptables", "ip6tables"):
        for table in ("filter", "mangle", "nat"):
            count = _clean_table(family, table, prefixes)
            if count:
                done.append(f"{count} {family} chains ({table})")
    if sets := _clean_sets(prefixes):
        done.append(f"{sets} sets of addresses")
    return done


def _clean_sets(prefixes: tuple[str, ...]) -> int:
    """Remove the sets by which some networks know the pods of a policy."""
    if not succeeds("ipset", "list", "-name"):
        return 0
    names = [name for name in run("ipset", "list", "-name").split() if name.startswith(prefixes)]
    for name in names:
        run("ipset", "destroy", name)
    return len(names)


def _clean_table(family: str, table: str, prefixes: tuple[str, ...]) -> int:
    if not succeeds(f"{family}-save", "-t", table):
        return 0
    lines = run(f"{family}-save", "-t", table).splitlines()
    chains = {line[1:].split()[0] for line in lines if line[1:].startswith(prefixes)}
    if not chains:
        return 0
    rules = [line for line in lines if line.startswith("-A ")]
    leading = [line.replace("-A", "-D", 1) for line in rules if _leads_to(line, chains)]
    script = [f"*{table}", *(f":{chain} - [0:0]" for chain in chains), *leading]
    # Naming a chain flushes it, so that no chain refers to another when they are deleted.
    script += [*(f"-X {chain}" for chain in chains), "COMMIT", ""]
    run(f"{family}-restore", "--noflush", stdin="\n".join(script))
    return len(chains)


def _leads_to(rule: str, chains: set[str]) -> bool:
    """Tell whether a rule of another chain jumps to one of these chains."""
    _, own, *words = rule.split()
    return own not in chains and not chains.isdisjoint(words)
