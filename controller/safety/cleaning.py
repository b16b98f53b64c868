"""Text from outside, made fit for a line of a log or a terminal."""

import unicodedata

LONGEST = 500
"""Characters of what a person or a peer may have to say about itself."""
_NEVER = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's kinds of what isn't seen: controls (line ends, escapes), marks that turn the direction
of writing, halves of characters, private and unassigned ones, separators of lines."""


def cleaned(text: str, longest: int = LONGEST) -> str:
    """Return *text* with all that isn't seen as ``\\xNN``, cut to *longest* characters.

    What is so shown can end no line, colour no terminal, and turn no text around.
    """
    shown = "".join(_escaped(c) if unicodedata.category(c) in _NEVER else c for c in text[:longest])
    return shown + "…" if len(text) > longest else shown


def for_the_campaign(text: str, place: object) -> str:
    """Return *text* of a gate with *place* for the DIR in the commands that it names."""
    return text.replace(" DIR", f" {place}")


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
