"""Every bad value of the trust document, in every member and on every wire: refused with its path, never echoed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from calibrant.events import wire_cloudevents, wire_jsonl
from calibrant.streams import declaration

STREAM = declaration.Stream(
    "fraud",
    declaration.LabelContract(timedelta(days=90)),
    cohorts=(declaration.CohortField("country"),),
    context=declaration.ContextPolicy(allow=("amount",)),
)
PREDICTION = {"id": '"a"', "at": '"2026-01-31T12:00:00Z"', "score": "0.5"}
LABEL = {"prediction": '"a"', "at": '"2026-01-31T12:00:00Z"', "value": "1"}

#: A value that no number member may have -> the code that says so.
BAD_NUMBERS = {
    "NaN": "CAL-376",
    "Infinity": "CAL-376",
    "-Infinity": "CAL-376",
    "1e999": "CAL-376",
    "-1e999": "CAL-376",
    "1180591620717411303424": "CAL-376",
    "9007199254740993": "CAL-376",
    "9" * 5000: "CAL-376",
    '"nan"': "CAL-375",
    '"0.5"': "CAL-375",
    "true": "CAL-375",
    "false": "CAL-375",
    "[0.5]": "CAL-375",
    '{"value":0.5}': "CAL-375",
    "01": "CAL-370",
    "+1": "CAL-370",
    ".5": "CAL-370",
    "1.": "CAL-370",
    "0x1": "CAL-370",
    "nan": "CAL-370",
}
BAD_TEXTS = {
    '"\\ud800"': "CAL-378",
    '"\\udc00x"': "CAL-378",
    '"\\u0000"': "CAL-378",
    '"a\\nb"': "CAL-378",
    '"\\u0085"': "CAL-378",
    '"' + "x" * 201 + '"': "CAL-378",
    '"' + "é" * 101 + '"': "CAL-378",
    "1": "CAL-375",
    "true": "CAL-375",
    '["a"]': "CAL-375",
    '"a\nb"': None,  # a raw line break cuts the line in two broken ones
    '"\t"': "CAL-370",
}
BAD_TIMES = {
    '"2026-01-31T12:00:00"': "CAL-379",
    '"2026-01-31"': "CAL-379",
    '"2026-01-31T12:00Z"': "CAL-379",
    '"2026-02-30T12:00:00Z"': "CAL-379",
    '"2026-01-31T24:00:00Z"': "CAL-379",
    '"2026-01-31T12:00:00+24:00"': "CAL-379",
    '"2026-01-31T12:00:00+01:60"': "CAL-379",
    '"2026-01-31T12:00:60Z"': "CAL-379",
    '"٢٠٢٦-01-31T12:00:00Z"': "CAL-379",
    '"yesterday"': "CAL-379",
    "1769860800": "CAL-375",
    '"1969-12-31T23:59:59Z"': "CAL-380",
    '"2200-01-01T00:00:00Z"': "CAL-380",
    '"0001-01-01T00:00:00+10:00"': "CAL-380",
    '"9999-12-31T23:59:59-10:00"': "CAL-380",
}


def line(base: dict[str, str], **members: str) -> bytes:
    return ("{" + ",".join(f'"{name}":{value}' for name, value in (base | members).items()) + "}").encode(
        "utf-8", "surrogatepass"
    )


def cases() -> list[tuple[str, str, str, str | None]]:
    """(kind, member, value, code)."""
    found: list[tuple[str, str, str, str | None]] = []
    for kind, members in (
        ("prediction", ("score", "served", "threshold", "weight")),
        ("label", ("value", "weight", "propensity", "revision")),
    ):
        found += [(kind, member, value, code) for member in members for value, code in BAD_NUMBERS.items()]
    for kind, members in (
        ("prediction", ("id", "model", "artifact", "decision", "arm", "unit", "trace")),
        ("label", ("prediction", "source")),
    ):
        found += [(kind, member, value, code) for member in members for value, code in BAD_TEXTS.items()]
    for kind, members in (("prediction", ("at",)), ("label", ("at", "observed"))):
        found += [(kind, member, value, code) for member in members for value, code in BAD_TIMES.items()]
    return found


#: Values of one member that are out of its own range.
RANGES = [
    ("prediction", "score", "1.7"),
    ("prediction", "score", "-0.1"),
    ("prediction", "served", "1.0000001"),
    ("prediction", "weight", "0"),
    ("prediction", "weight", "-1"),
    ("label", "value", "0.5"),
    ("label", "value", "2"),
    ("label", "value", "-1"),
    ("label", "weight", "0"),
    ("label", "propensity", "0"),
    ("label", "propensity", "1.1"),
    ("label", "revision", "-1"),
]


def read(kind: str, data: bytes) -> list[tuple[int, list[tuple[str, str]], str]]:
    parts = wire_jsonl.read_predictions(data, stream=STREAM) if kind == "prediction" else (
        wire_jsonl.read_labels(data, stream=STREAM)
    )  # fmt: skip
    return [(len(part.batch), [(one.code, one.path) for one in part.rejected], repr(part.rejected)) for part in parts]


@pytest.mark.parametrize("kind", ["prediction", "label"])
def test_every_bad_value_is_refused_with_its_path_and_the_good_neighbours_stay(kind: str) -> None:
    """One bad line between two good ones: one rejection, two rows, the expected code, the path of the member."""
    base = PREDICTION if kind == "prediction" else LABEL
    for which, member, value, code in cases():
        if which != kind or code is None:
            continue
        good = line(base)
        [(rows, rejected, said)] = read(kind, b"\n".join([good, line(base, **{member: value}), good]))
        assert rows == 2, (member, value)
        path = "" if code == "CAL-370" else member
        assert rejected == [(code, path)], (member, value)
        assert value.strip('"') not in said or len(value) < 6, "the value is echoed"


@pytest.mark.parametrize(("kind", "member", "value"), RANGES)
def test_a_number_outside_its_range_is_refused(kind: str, member: str, value: str) -> None:
    """Scores on the scale, labels of the target, propensities and weights that mean something."""
    base = PREDICTION if kind == "prediction" else LABEL
    assert read(kind, line(base, **{member: value}))[0][:2] == (0, [("CAL-377", member)])


def test_a_raw_line_break_inside_a_text_spoils_two_lines_and_no_more() -> None:
    """The two halves are no JSON; the next line is read."""
    data = line(PREDICTION, model='"a\nb"') + b"\n" + line(PREDICTION)
    assert read("prediction", data)[0][:2] == (1, [("CAL-370", ""), ("CAL-370", "")])


@pytest.mark.parametrize(
    ("tail", "code", "path"),
    [
        (',"score":0.5', "CAL-372", ""),
        (',"id":"b"', "CAL-372", ""),
        (',"\\u0069d":"b"', "CAL-372", ""),
        (' , "score" : 0.5', "CAL-372", ""),
        (',"model":"a\\"b","model":"c"', "CAL-372", ""),
        (',"cohorts":{"country":"a","country":"b"}', "CAL-372", ""),
        (',"context":{"amount":1,"amount":2}', "CAL-372", ""),
        (',"model":null,"model":null', "CAL-372", ""),
        (',"scroe":0.5', "CAL-373", ""),
        (',"cohorts":{"land":"a"}', "CAL-381", "cohorts"),
        (',"cohorts":{"country":"a\\nb"}', "CAL-378", "cohorts"),
        (',"cohorts":{"country":1}', "CAL-375", "cohorts"),
        (',"cohorts":[]', "CAL-375", "cohorts"),
        (',"context":{"amount":[1]}', "CAL-375", "context"),
        (',"context":{"amount":NaN}', "CAL-376", "context"),
        (',"context":{"other":1180591620717411303424}', "CAL-376", "context"),
        (',"context":{"amount":"\\ud800"}', "CAL-378", "context"),
        (',"context":{"amount":"' + "x" * 3000 + '"}', "CAL-382", "context"),
    ],
)
def test_doubled_unknown_and_nested_members(tail: str, code: str, path: str) -> None:
    """What JSON allows and an event does not."""
    bad = line(PREDICTION)[:-1] + tail.encode() + b"}"
    assert read("prediction", line(PREDICTION) + b"\n" + bad)[0][:2] == (1, [(code, path)])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"x", "CAL-370"),
        (b"[]", "CAL-370"),
        (b"1", "CAL-370"),
        (b"null", "CAL-370"),
        (b"{}", "CAL-374"),
        (b'{"id":"a","at":"2026-01-31T12:00:00Z"}', "CAL-374"),
        (line(PREDICTION) + line(PREDICTION), "CAL-370"),
        (b"[" * 60_000, "CAL-386"),
        (b'{"a":' * 10_000, "CAL-386"),
        (b'{"id":"\xff"}', "CAL-370"),
        (b'{"id":"\xed\xa0\x80"}', "CAL-370"),
        (line(PREDICTION)[:-1], "CAL-370"),
        (line(PREDICTION, model='"' + "x" * 70_000 + '"'), "CAL-371"),
    ],
)
def test_what_is_no_object_at_all(data: bytes, code: str) -> None:
    """Broken, nested, huge or of another kind: one item, one reason."""
    rows, rejected, _ = read("prediction", data)[0]
    assert (rows, [found for found, _ in rejected]) == (0, [code])


@pytest.mark.parametrize(
    ("written", "like"),
    [
        ({"score": "1"}, {"score": "1.0"}),
        ({"score": "0.5"}, {"score": "5e-1"}),
        ({"score": "-0.0"}, {"score": "0"}),
        ({"model": "null"}, {}),
        ({"weight": "1"}, {}),
        ({"at": '"2026-01-31T13:30:00.000+01:30"'}, {}),
        ({"at": '"2026-01-31t12:00:00z"'}, {}),
        ({"at": '"2026-01-31T12:00:00-00:00"'}, {}),
        ({"cohorts": "{}", "context": "{}"}, {}),
        ({"context": '{"unlisted":"x"}'}, {}),
        ({"id": '"\\u0061"'}, {}),
        ({"context": '{"amount":1.0}'}, {"context": '{"amount":1}'}),
    ],
)
def test_the_same_event_written_differently_has_the_same_digest(written: dict[str, str], like: dict[str, str]) -> None:
    """Number formats, escapes, zones, null and absent, defaults, key order: no new event."""
    first = line(PREDICTION, **written)
    members = list((PREDICTION | like).items())[::-1]
    second = ("{ " + " , ".join(f'"{name}" : {value}' for name, value in members) + " }").encode()
    [part] = wire_jsonl.read_predictions(first + b"\r\n\n" + second, stream=STREAM)
    assert part.rejected == ()
    one, other = part.batch.table["digest"].to_pylist()
    assert one == other


def test_every_bad_value_is_refused_as_data_of_a_cloudevent_too() -> None:
    """Structured mode has the same reader behind it; a batch keeps its good items."""
    receiver = wire_cloudevents.Receiver([STREAM])
    head = b'{"specversion":"1.0","id":"1","source":"/streams/fraud","type":"calibrant.prediction.v1","data":'
    for value, code in BAD_NUMBERS.items():
        bad, good = (head + line(PREDICTION, score=one) + b"}" for one in (value, "0.5"))
        alone = receiver.structured([bad])
        reasons = [one.code for one in alone.rejected] + [
            one.code for portion in alone.portions for one in portion.parsed.rejected
        ]
        assert reasons == [code], value
        together = receiver.batch(b"[" + good + b"," + bad + b"]")
        assert [len(portion.parsed.batch) for portion in together.portions] == [1], value


def test_no_rejection_holds_any_text_of_the_item() -> None:
    """A secret in a wrong place appears nowhere in what is kept of the refusal."""
    secret = "hunter2-hunter2"
    items = [
        line(PREDICTION, **{secret: "1"}),
        line(PREDICTION, cohorts=json.dumps({secret: secret})),
        line(PREDICTION, score=json.dumps(secret)),
        line(PREDICTION, at=json.dumps(secret)),
        line(PREDICTION, model=json.dumps(secret + "\n")),
        line(PREDICTION, context=json.dumps({secret: {secret: 1}})),
        secret.encode(),
    ]
    [part] = wire_jsonl.read_predictions(b"\n".join(items), stream=STREAM)
    assert len(part.rejected) == len(items)
    assert secret not in repr(part.rejected)
