"""Foreign text in the operator's own words: a short, printable excerpt."""

_ELLIPSIS = "..."


def excerpt(text: str, longest: int) -> str:
    """Return text as one printable line of at most ``longest`` characters.

    What cannot be printed (control characters, line ends, marks that turn the writing direction,
    lone surrogates) becomes a blank, blanks in a row one, and what is cut ends in ``...``.
    """
    head = text[: 4 * longest]
    line = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    whole = len(line) <= longest and len(head) == len(text)
    return line if whole else line[: longest - len(_ELLIPSIS)].rstrip() + _ELLIPSIS
