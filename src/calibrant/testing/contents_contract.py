"""The exam of a place for contents. Subclass it and give it a place:

class TestMyPlace(ContentsContract):
    @pytest.fixture
    def opened(self, tmp_path):
        return MyPlace(tmp_path)

    @pytest.fixture
    def damage(self, tmp_path):
        return lambda digest, data: my_way_to_overwrite(digest, data)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from calibrant import errors
from calibrant.ports import contents

#: Nothing, text, all bytes, and more than one part of any protocol.
SAMPLES = (b"", b"{}\n", bytes(range(256)), b"x" * 11_000_000)


_NO_HEX = ("", "A" * 64, "../../etc/passwd", "a" * 63 + "\n", "a" * 64 + "\n", "a" * 65, "١" * 64, "a" * 62 + "/.")


def digest_of(data: bytes) -> str:
    """What the place must call these bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class ContentsContract:
    """The promises of ``calibrant.ports.contents``."""

    @pytest.fixture
    def opened(self) -> contents.Contents:
        """An empty place; overwrite this."""
        pytest.fail("overwrite the fixture `opened`: it gives an empty place of yours")

    @pytest.fixture
    def damage(self) -> Callable[[str, bytes], None]:
        """A way to put other bytes under a digest, past the port; overwrite this."""
        pytest.fail("overwrite the fixture `damage`: it overwrites what lies under a digest")

    def test_what_goes_in_comes_out(self, opened: contents.Contents) -> None:
        """Under its digest, however often it goes in."""
        for data in SAMPLES:
            assert not opened.has(digest_of(data))
            assert opened.put(data) == opened.put(data) == digest_of(data)
            assert opened.has(digest_of(data))
            assert opened.get(digest_of(data)) == data
        assert sorted(opened.digests()) == sorted(digest_of(data) for data in SAMPLES)

    def test_an_empty_place_has_nothing(self, opened: contents.Contents) -> None:
        """What is not here is said to be not here."""
        assert list(opened.digests()) == []
        with pytest.raises(errors.UsageError, match="CAL-881"):
            opened.get(digest_of(b"never"))

    @pytest.mark.parametrize(
        "digest",
        ["", "a" * 64, "sha512:" + "a" * 64, *(f"sha256:{one}" for one in _NO_HEX)],
    )
    def test_only_digests_are_names(self, opened: contents.Contents, digest: str) -> None:
        """Nothing else gets as far as a path."""
        for ask in (opened.get, opened.has):
            with pytest.raises(errors.UsageError, match="CAL-884"):
                ask(digest)

    @pytest.mark.parametrize("wrong", [b"", b"short", b"another content of the length", b"{}\n\n"])
    def test_other_bytes_are_never_handed_out(
        self, opened: contents.Contents, damage: Callable[[str, bytes], None], wrong: bytes
    ) -> None:
        """Damage is told; putting the right bytes mends it."""
        digest = opened.put(b"the content as it was, of 29 b")
        damage(digest, wrong)
        with pytest.raises(errors.StoreDamagedError, match="CAL-854"):
            opened.get(digest)
        assert opened.put(b"the content as it was, of 29 b") == digest
        assert opened.get(digest) == b"the content as it was, of 29 b"

    def test_many_may_put_the_same(self, opened: contents.Contents) -> None:
        """At the same time, without a reader ever seeing a part."""
        data = b"y" * 200_000
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(opened.put, [data] * 24)) == {digest_of(data)}
        assert list(opened.digests()) == [digest_of(data)]
        assert opened.get(digest_of(data)) == data
