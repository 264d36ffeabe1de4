"""Kafka as a source of messages, through librdkafka: offsets are committed when they are asked for, never by time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from calibrant import errors
from calibrant.ports import message_source
from calibrant.ports.message_source import Message

if TYPE_CHECKING:
    import confluent_kafka

#: Settings that decide when an offset is committed, or that the address says.
OURS: Final = (
    "bootstrap.servers",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "metadata.broker.list",
)
#: Seconds until a broker that does not answer is an error, at the start.
CONNECT: Final = 15.0
#: Bytes and messages of one poll: more stays with the client, which has a limit of its own.
LARGEST: Final = 16 << 20
SLICE: Final = 100


class KafkaSource:
    """A member of a consumer group on one topic. ``settings`` are librdkafka's."""

    def __init__(self, address: message_source.Address, settings: Mapping[str, str]) -> None:
        try:
            import confluent_kafka
        except ImportError:
            raise errors.MissingExtraError.of("kafka", needed_for="reading Kafka") from None
        self._kafka = confluent_kafka
        if len(address.path) != 1 or set(address.query) != {"group"} or not address.query["group"]:
            raise message_source.malformed("a Kafka source is one topic and ?group=NAME")
        refused = next((name for name in OURS if name in settings), None)
        if refused is not None:
            raise message_source.bad_setting(
                f"{refused!r} is not yours to set", "the address names it, or exactness rests on it"
            )
        self._topic = address.path[0]
        self._assigned: set[tuple[str, int]] | None = None
        try:
            self._consumer = confluent_kafka.Consumer(
                {
                    "auto.offset.reset": "earliest",
                    **settings,
                    "bootstrap.servers": ",".join(address.hosts),
                    "group.id": address.query["group"],
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                }
            )
        except confluent_kafka.KafkaException as error:
            raise message_source.bad_setting("librdkafka refuses the settings", _words(error)) from None
        try:
            self._look()
            self._consumer.subscribe(
                [self._topic], on_assign=self._gained, on_revoke=self._revoked, on_lost=self._revoked
            )
        except BaseException:  # the client has threads, which must not outlive a failed start
            self._consumer.close()
            raise

    def ready(self) -> bool:
        return self._assigned is not None

    def poll(self, most: int, *, seconds: float) -> Sequence[Message]:
        found: list[Message] = []
        size, end = 0, time.monotonic() + seconds
        while len(found) < most and size < LARGEST:
            left = end - time.monotonic()
            some = self._consumer.consume(min(SLICE, most - len(found)), timeout=max(left, 0.0))
            for one in some:
                error = one.error()
                if error is not None:
                    self._heard(error)
                    continue
                found.append(self._message(one))
                size += len(found[-1].body)
            if left <= 0:
                break
        return found

    def commit(self, messages: Sequence[Message]) -> None:
        ends: dict[tuple[str, int], int] = {}
        for message in messages:
            token: Any = message.token
            topic, partition, offset = token
            ends[topic, partition] = max(ends.get((topic, partition), 0), offset + 1)
        # what was taken from us meanwhile is read again by whoever has it now: it counts once
        offsets = [
            self._kafka.TopicPartition(topic, partition, end)
            for (topic, partition), end in ends.items()
            if (topic, partition) in (self._assigned or ())
        ]
        if not offsets:
            return
        try:
            done = self._consumer.commit(offsets=offsets, asynchronous=False)
            failed = next((one.error for one in done or () if one.error is not None), None)
        except self._kafka.KafkaException as error:
            failed = error.args[0]
        if failed is not None and failed.code() not in self._moved():
            raise message_source.uncommitted(str(failed.str()))

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    # ---------------------------------------------------------------- what the broker says

    def _look(self) -> None:
        """Errors of address, rights and names at once, not as silence."""
        try:
            known = self._consumer.list_topics(self._topic, timeout=CONNECT).topics[self._topic]
        except self._kafka.KafkaException as error:
            raise message_source.unreadable(_words(error)) from None
        if known.error is not None:
            raise message_source.unreadable(f"{self._topic}: {known.error.str()}")

    def _gained(self, _: Any, partitions: list[confluent_kafka.TopicPartition]) -> None:
        self._assigned = (self._assigned or set()) | {(one.topic, one.partition) for one in partitions}

    def _revoked(self, _: Any, partitions: list[confluent_kafka.TopicPartition]) -> None:
        self._assigned = (self._assigned or set()) - {(one.topic, one.partition) for one in partitions}

    def _heard(self, error: confluent_kafka.KafkaError) -> None:
        """Most errors pass: librdkafka goes on trying, and says so on standard error."""
        codes = self._kafka.KafkaError
        refused = (
            codes._AUTHENTICATION,
            codes.TOPIC_AUTHORIZATION_FAILED,
            codes.GROUP_AUTHORIZATION_FAILED,
            codes.UNKNOWN_TOPIC_OR_PART,
            codes._AUTO_OFFSET_RESET,
        )
        if error.fatal() or error.code() in refused:
            raise message_source.unreadable(error.str())

    def _moved(self) -> tuple[int, ...]:
        """Partitions were given to somebody else between poll and commit."""
        codes = self._kafka.KafkaError
        return (
            codes.ILLEGAL_GENERATION,
            codes.UNKNOWN_MEMBER_ID,
            codes.REBALANCE_IN_PROGRESS,
            codes._ASSIGNMENT_LOST,
        )

    @staticmethod
    def _message(one: Any) -> Message:
        headers = {name: _header(value) for name, value in one.headers() or () if value is not None}
        place = f"{one.topic()}/{one.partition()}@{one.offset()}"
        return Message(one.value() or b"", headers, place, (one.topic(), one.partition(), one.offset()))


def _header(value: bytes | str) -> str:
    """Kafka's headers are UTF-8 and nothing is encoded in them; bytes that are not become what no event may hold."""
    text = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
    return text.replace("%", "%25")


def _words(error: Exception) -> str:
    return str(error.args[0].str())
