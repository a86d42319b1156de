"""What was probably meant by a word that is none of ours."""

from __future__ import annotations

from collections.abc import Iterable


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean "WORD"?`: what it begins, as an abbreviation would, else the nearest. "" where nothing is near."""
    from difflib import get_close_matches  # only who errs waits for it

    by_lower = {name.lower(): name for name in known}
    begun = [name for name in by_lower if word and name.startswith(word.lower())]
    near = begun if len(begun) == 1 else get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return f'; did you mean "{by_lower[near[0]]}"?' if near else ""
