"""Streams of any size in bounded memory, cut anywhere, resumable at every part's end."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.events import lines, wire_cloudevents, wire_jsonl
from calibrant.streams import declaration

STREAM = declaration.Stream("fraud", declaration.LabelContract(timedelta(days=90)))
MIB = 1 << 20


def event(number: int) -> bytes:
    return b'{"id":"%d","at":"2026-01-31T12:00:00Z","score":0.5}\n' % number


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


@given(st.lists(st.integers(0, 60), max_size=30), st.sampled_from([b"", b"\n", b"\r\n", b" \n\n", b"broken\n"]))
@settings(max_examples=40, deadline=None)
def test_where_the_blocks_are_cut_changes_nothing(sizes: list[int], between: bytes) -> None:
    """Bytes at once, a file, or blocks of any sizes: the same rows at the same places."""
    data = b"\xef\xbb\xbf" * (between == b"") + between.join([event(1), event(2), event(3), event(4)])
    wanted = outcome(data)
    assert outcome(cut(data, sizes)) == wanted
    assert outcome(io.BytesIO(data)) == wanted
    assert wanted[0] == ["1", "2", "3", "4"]


def outcome(source: object) -> tuple[list[str], list[int], list[int]]:
    parts = list(wire_jsonl.read_predictions(source, stream=STREAM))  # type: ignore[arg-type]
    return (
        [name for part in parts for name in part.batch.table["id"].to_pylist()],
        [place for part in parts for place in part.positions.tolist()],
        [one.index for part in parts for one in part.rejected],
    )


def test_reading_goes_on_at_the_end_of_any_part() -> None:
    """Every part's end is the beginning of a line: what comes after it is what has not been seen."""
    long = b'{"id":"' + b"x" * (lines.LONGEST + 5) + b'"}\n'
    data = b"\xef\xbb\xbf" + b"".join(event(n) + (long if n % 9_000 == 0 else b"") for n in range(30_000))
    parts = list(lines.pieces(io.BytesIO(data)))
    assert parts[-1].end == len(data)
    items = sum(len(part.lines) + len(part.too_long) for part in parts)
    assert items == 30_004
    seen = 0
    for part in parts[:-1]:
        seen += len(part.lines) + len(part.too_long)
        assert data[part.end - 1 : part.end] == b"\n"
        assert seen + sum(len(one.lines) + len(one.too_long) for one in lines.pieces(data[part.end :])) == items


@pytest.mark.parametrize("size", [1, 4096, 3 * MIB])
def test_a_line_of_a_gigabyte_is_one_refused_item(size: int) -> None:
    """It is never held: memory stays small, and the events around it are read."""
    total = (1 << 30) if size == 3 * MIB else 300 * size

    def source() -> Iterator[bytes]:
        yield event(1)
        filler = b"x" * size
        for _ in range(max(total // size, lines.LONGEST // size + 2)):
            yield filler
        yield b"\n" + event(2)

    tracemalloc.start()
    ids, places, rejected = outcome(source())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (ids, places, rejected) == (["1", "2"], [0, 2], [1])
    assert peak < 24 * MIB


def test_a_stream_that_never_ends_a_line_is_one_refused_item() -> None:
    """Also when the input ends in the middle of it."""
    ids, _, rejected = outcome(iter([event(1), b"x" * 100_000, b"y" * 100_000]))
    assert (ids, rejected) == (["1"], [1])


def test_a_long_line_at_the_edge_is_taken_up_to_the_limit() -> None:
    """65,536 bytes are an item, one more is not."""
    for extra, reason in ((0, "CAL-370"), (1, "CAL-371")):
        [part] = wire_jsonl.read_predictions(b"x" * (lines.LONGEST + extra) + b"\n" + event(1), stream=STREAM)
        assert [one.code for one in part.rejected] == [reason]
        assert len(part.batch) == 1


def test_a_flood_of_the_shortest_bad_lines_needs_little_memory() -> None:
    """Refusals come in parts of bounded size, and each part's end is where the next one begins."""
    tracemalloc.start()
    count = end = 0
    for part in wire_jsonl.read_predictions(b"1\n" * 39_999 + b"12", stream=STREAM):
        count += len(part.rejected)
        assert (part.first, part.end) == (end // 2, end + 2 * len(part.rejected))
        end = part.end
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40_000
    assert peak < 12 * MIB


def test_bombs_in_a_batch_of_cloudevents_are_refused() -> None:
    """Too many bytes, too many items, too deep: one refusal each, and no exception."""
    receiver = wire_cloudevents.Receiver([STREAM])
    for body, code in (
        (b"[" + b" " * wire_cloudevents.LARGEST + b"]", "CAL-371"),
        (b"[" + b"1," * 20_000 + b"1]", "CAL-371"),
        (b"[" * 1_000_000, "CAL-370"),
        (b'[{"a":' * 200_000, "CAL-370"),
        (b"", "CAL-370"),
        (b"{}", "CAL-370"),
        (b"\xff", "CAL-370"),
    ):
        delivery = receiver.batch(body)
        assert ([one.code for one in delivery.rejected], delivery.portions) == ([code], ())


def test_one_broken_item_of_a_batch_does_not_spoil_the_items_before_it() -> None:
    """What cannot be cut into items any more is one refusal; what was cut is read."""
    receiver = wire_cloudevents.Receiver([STREAM])
    head = b'{"specversion":"1.0","id":"1","source":"fraud","type":"calibrant.prediction.v1","data":'
    good, nan = head + event(1).strip() + b"}", head + event(1).strip().replace(b"0.5", b"NaN") + b"}"
    kept = receiver.batch(b"[" + good + b"," + nan + b"," + good + b"]")
    assert [portion.parsed.positions.tolist() for portion in kept.portions] == [[0, 2]]
    assert [one.code for one in kept.portions[0].parsed.rejected] == ["CAL-376"]
    cut_off = receiver.batch(b"[" + good + b"," + good[:-3])
    assert [portion.parsed.positions.tolist() for portion in cut_off.portions] == [[0]]
    assert [(one.index, one.code) for one in cut_off.rejected] == [(1, "CAL-370")]
