"""What is wrong with a manifest, where, and what mends it?"""


class InvalidManifest(ValueError):
    """One thing that is wrong: `path` names the field, `remedy` says what to write instead."""

    def __init__(self, path: str, problem: str, remedy: str = "", *, kind: str = "", name: str = "") -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        self.kind = kind
        self.name = name
        where = " ".join(part for part in (kind, name) if part)
        # A rule about `metadata` may begin with `metadata.name`: the place is then said already.
        what = f"{path}: {problem}" if path and not problem.startswith(f"{path}.") else problem
        told = f"{what}; {remedy}" if remedy else what
        super().__init__(f"{where}: {told}" if where else told)

    def of(self, kind: str, name: str) -> "InvalidManifest":
        """The same trouble, said of this object."""
        return InvalidManifest(self.path, self.problem, self.remedy, kind=kind, name=name)


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """The remedy for a word that is not one of those known."""
    from difflib import get_close_matches

    folded = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{folded[close[0]]}`?"
    return f"known here: {', '.join(sorted(known))}"
