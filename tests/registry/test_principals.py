"""People, services and their keys."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from calibrant import errors
from calibrant.registry import keys, principals

YEAR = 366 * 86_400_000_000


def counting(size: int) -> bytes:
    """Stands for randomness."""
    return bytes(range(size))


def test_a_service_belongs_to_a_person(registry) -> None:
    """The person behind a service is its owner; a service cannot own another."""
    bot = registry.service("bot", "ada", "ingester")
    assert (bot.type, bot.person) == ("service", "ada")
    with pytest.raises(errors.RefusedError, match="CAL-921"):
        registry.service("bot-2", "bot", "ingester")


def test_a_suspended_person_owns_nothing_new(registry) -> None:
    """Nor does somebody who was suspended."""
    registry.apply(principals.suspend(registry.the("principal", "ada"), admins=registry.all("principal")))
    with pytest.raises(errors.RefusedError, match="CAL-921"):
        registry.service("bot", "ada", "ingester")
    registry.apply(principals.reinstate(registry.the("principal", "ada")))
    registry.service("bot", "ada", "ingester")


def test_the_last_admin_stays(registry) -> None:
    """Nobody can lock everybody out; with another admin it is possible."""
    root = registry.the("principal", "root")
    for command in (principals.suspend, lambda found, admins: principals.set_roles(found, ["viewer"], admins=admins)):
        with pytest.raises(errors.RefusedError, match="CAL-922"):
            command(root, admins=registry.all("principal"))
    registry.person("toor", "admin")
    registry.apply(principals.suspend(root, admins=registry.all("principal")))
    with pytest.raises(errors.RefusedError, match="CAL-922"):
        principals.suspend(registry.the("principal", "toor"), admins=registry.all("principal"))


def test_two_admins_cannot_remove_each_other_at_once(registry) -> None:
    """Each removal requires that the other admin is as it was."""
    registry.person("toor", "admin")
    everybody = registry.all("principal")
    first = principals.suspend(registry.the("principal", "root"), admins=everybody)
    second = principals.suspend(registry.the("principal", "toor"), admins=everybody)
    registry.apply(first)
    with pytest.raises(errors.ConflictError):
        registry.apply(second)


def test_names_and_roles_are_checked(registry) -> None:
    """A name that could be a path and a role that does not exist are refused; names are given once."""
    for name in ("", "../x", "A", "-x", "a" * 64, "a b", "ä"):
        with pytest.raises(errors.UsageError, match="CAL-940"):
            principals.enrol(None, name, roles=[])
    with pytest.raises(errors.UsageError, match="CAL-942"):
        principals.enrol(None, "x", roles=["god"])
    with pytest.raises(errors.ConflictError, match="CAL-913"):
        principals.enrol(registry.the("principal", "ada"), "ada", roles=[])


def test_a_key_proves_its_holder_and_nothing_of_it_is_kept(registry) -> None:
    """The token leads to the principal; the kept body holds a hash and not the secret."""
    command, token = keys.issue(registry.the("principal", "ada"), expires_us=YEAR, now_us=0, random=counting)
    registry.apply(command)
    found = registry.the("key", token.prefix)
    assert token.secret not in str(found.body)
    assert found.body["hash"] == hashlib.sha256(token.secret.encode()).hexdigest()
    assert keys.holder(keys.parse(token.reveal()), found, now_us=1) == "ada"
    assert token.secret not in repr(token)


def test_bad_keys_are_refused_without_being_repeated(registry) -> None:
    """Wrong form, wrong secret, unknown prefix, expired, revoked: each with its code, none echoed."""
    command, token = keys.issue(registry.the("principal", "ada"), expires_us=1_000, now_us=0, random=counting)
    registry.apply(command)
    found = registry.the("key", token.prefix)
    for text in ("", "cal_", token.reveal() + "0", token.reveal().upper(), "Bearer " + token.reveal()):
        with pytest.raises(errors.ForbiddenError, match="CAL-902") as refused:
            keys.parse(text)
        assert token.secret not in str(refused.value)
    for index in range(0, 64, 7):
        other = "0" if token.secret[index] != "0" else "1"
        forged = keys.Token(token.prefix, token.secret[:index] + other + token.secret[index + 1 :])
        with pytest.raises(errors.ForbiddenError, match="CAL-902"):
            keys.holder(forged, found, now_us=1)
    with pytest.raises(errors.ForbiddenError, match="CAL-902"):
        keys.holder(token, None, now_us=1)
    with pytest.raises(errors.ForbiddenError, match="CAL-903"):
        keys.holder(token, found, now_us=1_000)
    registry.apply(keys.revoke(found))
    with pytest.raises(errors.ForbiddenError, match="CAL-903"):
        keys.holder(token, registry.the("key", token.prefix), now_us=1)


def test_a_removed_key_is_unknown(registry) -> None:
    """A revision without content proves nothing."""
    command, token = keys.issue(registry.the("principal", "ada"), expires_us=YEAR, now_us=0, random=counting)
    registry.apply(command)
    with pytest.raises(errors.ForbiddenError, match="CAL-902"):
        keys.holder(token, replace(registry.the("key", token.prefix), body=None), now_us=1)


@pytest.mark.parametrize("expires", [0, 5, 6 + YEAR])
def test_every_key_expires_within_a_year(registry, expires: int) -> None:
    """No key lives for ever, and none is born dead."""
    with pytest.raises(errors.UsageError, match="CAL-943"):
        keys.issue(registry.the("principal", "ada"), expires_us=expires, now_us=5, random=counting)
