"""When two user names are the same name, and which names may be shown to anybody."""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError

# Control and format characters (terminal codes, turned-around text), half characters, line ends.
UNSHOWABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Unicode's Default_Ignorable_Code_Point: drawn as nothing, though some count as letters.
UNSEEN = (
    range(0x00AD, 0x00AE),
    range(0x034F, 0x0350),
    range(0x061C, 0x061D),
    range(0x115F, 0x1161),
    range(0x17B4, 0x17B6),
    range(0x180B, 0x1810),
    range(0x200B, 0x2010),
    range(0x202A, 0x202F),
    range(0x2060, 0x2070),
    range(0x3164, 0x3165),
    range(0xFE00, 0xFE10),
    range(0xFEFF, 0xFF00),
    range(0xFFA0, 0xFFA1),
    range(0xFFF0, 0xFFF9),
    range(0x1BCA0, 0x1BCA4),
    range(0x1D173, 0x1D17B),
    range(0xE0000, 0xE1000),
)
# Who everybody is with DF_AUTH=off; see open_access.
EVERYBODY = "default"
# Casefolding makes at most three characters of one.
KEY_LENGTH = 450


def key(username: str) -> str:
    """What all spellings of one name share: in upper or lower case, composed, full width."""
    folded = unicodedata.normalize("NFKC", username).casefold()
    return unicodedata.normalize("NFKC", folded)


def showable(name: str) -> None:
    """The validator of names people choose: one line that a page and a terminal show as it is."""
    if not all(_is_showable(character) for character in name):
        raise ValidationError("A name takes no control characters, line ends or text directions.")


def usable(username: str) -> None:
    """The validator of user names, beside Django's: one can see it, and it is no path."""
    if not all(_is_showable(character) and _is_seen(character) for character in username):
        raise ValidationError("A user name takes no characters that nobody can see.")
    if not any(character.isalnum() for character in username):
        raise ValidationError("A user name needs a letter or digit.")


def shown(text: str) -> str:
    """For a terminal: what came into the database past the validator is spelled out."""
    return "".join(
        character if _is_showable(character) else character.encode("unicode_escape").decode()
        for character in text
    )


def _is_showable(character: str) -> bool:
    return unicodedata.category(character) not in UNSHOWABLE


def _is_seen(character: str) -> bool:
    return not any(ord(character) in unseen for unseen in UNSEEN)
