"""The built-in groups. They belong to the code: their permissions follow this table at every
migration, for models that come later too, and the admin shows them without letting edit them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

OPERATORS = "operators"
DOWNLOADERS = "downloaders"
VIEWERS = "viewers"

# A session row is a way into its user's account.
PRIVATE = frozenset({"sessions"})
# Users, groups, what they may do, and the record of what was done.
USERS = frozenset({"accounts", "auth", "contenttypes", "admin"})


@dataclass(frozen=True)
class Rule:
    """Permissions by app label and action; None means every one."""

    apps: frozenset[str] | None = None
    actions: frozenset[str] | None = None
    but: frozenset[str] = PRIVATE

    def covers(self, app: str, codename: str) -> bool:
        action = codename.partition("_")[0]
        return (
            app not in self.but
            and (self.apps is None or app in self.apps)
            and (self.actions is None or action in self.actions)
        )


SEE = Rule(actions=frozenset({"view"}))
BUILT_IN: dict[str, tuple[Rule, ...]] = {
    OPERATORS: (SEE, Rule(but=USERS | PRIVATE)),
    DOWNLOADERS: (
        SEE,
        Rule(apps=frozenset({"downloader"}), actions=frozenset({"add", "change"})),
    ),
    VIEWERS: (SEE,),
}


def sync(state: Any, using: str) -> None:
    """Make the built-in groups and give each exactly what its rules cover.

    `state` is the app registry of the migration that has just run: halfway through a history the
    models may not be there yet.
    """
    try:
        group_model = state.get_model("auth", "Group")
        permission_model = state.get_model("auth", "Permission")
    except LookupError:
        return
    known = permission_model.objects.using(using).values_list(
        "pk", "content_type__app_label", "codename"
    )
    permissions = list(known)
    for name, rules in BUILT_IN.items():
        group, _ = group_model.objects.using(using).get_or_create(name=name)
        group.permissions.set(_covered(rules, permissions))


def _covered(rules: tuple[Rule, ...], permissions: Iterable[tuple[int, str, str]]) -> list[int]:
    return [
        pk for pk, app, codename in permissions if any(rule.covers(app, codename) for rule in rules)
    ]
