"""NATS JetStream as a source of messages: a durable pull consumer, each message acknowledged when it is asked for."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from calibrant import errors
from calibrant.ports import message_source
from calibrant.ports.message_source import Message

if TYPE_CHECKING:
    from nats.js import api
    from nats.js.client import JetStreamContext

T = TypeVar("T")

SETTINGS: Final = ("user", "password", "token", "tls_ca", "tls_cert", "tls_key", "ack_wait", "max_ack_pending")
#: Seconds until a server that does not answer is an error, and until one that does not confirm is.
CONNECT: Final = 5.0
CONFIRM: Final = 10.0
#: What the consumer is made with when nothing else is set: seconds until a message comes again, how many may be out.
ACK_WAIT: Final = 60.0
MAX_ACK_PENDING: Final = 10_000
LARGEST: Final = 16 << 20
SLICE: Final = 100


class NatsSource:
    """A durable consumer. Its client lives on an event loop in a thread of its own, which also answers pings."""

    def __init__(self, address: message_source.Address, settings: Mapping[str, str]) -> None:
        try:
            import nats.aio.client
            import nats.errors
        except ImportError:
            raise errors.MissingExtraError.of("nats", needed_for="reading NATS") from None
        self._errors = nats.errors
        if len(address.path) != 2 or set(address.query) != {"durable"} or not address.query["durable"]:
            raise message_source.malformed("a NATS source is a stream, a subject and ?durable=NAME")
        unknown = next((name for name in settings if name not in SETTINGS), None)
        if unknown is not None:
            raise message_source.bad_setting(
                f"{unknown!r} is no setting of a NATS source", "known are " + ", ".join(SETTINGS)
            )
        self._stream, self._subject = address.path
        self._durable = address.query["durable"]
        config, tls = _config(settings), _tls(settings)
        self._last = ""
        self._client = nats.aio.client.Client()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        try:
            self._subscription = self._run(self._open(address.hosts, settings, config, tls))
        except BaseException:  # the thread must not outlive a failed start
            self.close()
            raise

    def ready(self) -> bool:
        return True

    def poll(self, most: int, *, seconds: float) -> Sequence[Message]:
        found: list[Message] = []
        size = 0
        while len(found) < most and size < LARGEST:
            # once something is there, only what is there as well
            wait = seconds if not found else 0.01
            some = self._run(self._fetch(min(SLICE, most - len(found)), wait))
            found += some
            size += sum(len(one.body) for one in some)
            if len(some) < SLICE:
                break
        return found

    def commit(self, messages: Sequence[Message]) -> None:
        failed = self._run(self._confirm([message.token for message in messages]))
        if failed is not None:
            raise message_source.uncommitted(f"{self._subject}: {_words(failed)}")

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    # ---------------------------------------------------------------- on the loop

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(
        self, hosts: Sequence[str], settings: Mapping[str, str], config: api.ConsumerConfig, tls: ssl.SSLContext | None
    ) -> JetStreamContext.PullSubscription:
        from nats.js import api
        from nats.js import errors as js_errors

        try:
            async with asyncio.timeout(CONNECT):
                await self._client.connect(
                    [f"nats://{host}" for host in hosts],
                    name="calibrant",
                    error_cb=self._remember,
                    tls=tls,
                    user=settings.get("user"),
                    password=settings.get("password"),
                    token=settings.get("token"),
                )
            jetstream = self._client.jetstream(timeout=CONNECT)
            found = await jetstream.pull_subscribe(self._subject, self._durable, self._stream, config)
            held = (await found.consumer_info()).config
        except js_errors.NotFoundError:
            raise message_source.unreadable(f"there is no stream {self._stream!r}") from None
        except (self._errors.Error, TimeoutError, OSError) as error:
            raise message_source.unreadable(self._last or _words(error)) from None
        if held.ack_policy != api.AckPolicy.EXPLICIT or held.filter_subject != self._subject:
            raise errors.UsageError(
                "CAL-442",
                f"the durable {self._durable!r} is another consumer",
                cause=f"it reads {held.filter_subject or 'several subjects'} with ack policy {held.ack_policy}",
                fix="name another durable: one is made when it is not there",
            )
        return found

    async def _fetch(self, most: int, seconds: float) -> list[Message]:
        try:
            some = await self._subscription.fetch(most, timeout=seconds)
        except TimeoutError:
            if self._client.is_closed:
                raise message_source.unreadable(self._last or "the connection is closed") from None
            return []
        except self._errors.Error as error:
            raise message_source.unreadable(_words(error)) from None
        return [
            Message(one.data, one.headers or {}, f"{self._stream}@{one.metadata.sequence.stream}", one) for one in some
        ]

    async def _confirm(self, tokens: Sequence[Any]) -> BaseException | None:
        """The first failure; the others have been told all the same."""
        done = await asyncio.gather(*(one.ack_sync(timeout=CONFIRM) for one in tokens), return_exceptions=True)
        return next((one for one in done if isinstance(one, BaseException)), None)

    async def _remember(self, error: Exception) -> None:
        """The client tries again by itself; the last reason is told when it gives up."""
        self._last = _words(error)


def _config(settings: Mapping[str, str]) -> api.ConsumerConfig:
    from nats.js import api

    try:
        wait, pending = float(settings.get("ack_wait", ACK_WAIT)), int(settings.get("max_ack_pending", MAX_ACK_PENDING))
        if not (0 < wait < float("inf") and pending > 0):
            raise ValueError
    except ValueError:
        raise message_source.bad_setting(
            "ack_wait or max_ack_pending is no positive number", "they are seconds and messages"
        ) from None
    return api.ConsumerConfig(
        ack_policy=api.AckPolicy.EXPLICIT,
        deliver_policy=api.DeliverPolicy.ALL,
        ack_wait=wait,
        max_ack_pending=pending,
        max_deliver=-1,
    )


def _tls(settings: Mapping[str, str]) -> ssl.SSLContext | None:
    if not any(name.startswith("tls_") for name in settings):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.get("tls_ca"))
        if "tls_cert" in settings:
            context.load_cert_chain(settings["tls_cert"], settings.get("tls_key"))
    except OSError as error:
        raise message_source.bad_setting("the TLS files cannot be read", str(error)) from None
    return context


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
