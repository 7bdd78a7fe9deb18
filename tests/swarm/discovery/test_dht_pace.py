"""When the DHT is told again that somebody is here, and what a stream's owner says: on a clock of the test's own."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from swarm.discovery.dht import Dht, DhtSettings
from swarm.discovery.finder import Sought
from swarm.identity import Identity
from swarm.units import Address, StreamId

OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)
STEP_S = 10.0
END_S = 3600.0


class Company:
    """A peer that is not alone."""

    addresses = (Address("203.0.113.7", 4000),)

    def found(self, stream: StreamId, addresses: Sequence[Address]) -> None: ...

    def is_lonely(self, stream: StreamId) -> bool:
        return False

    def neighbours(self, stream: StreamId) -> Sequence[Address]:
        return ()

    def relays(self, stream: StreamId) -> Sequence[Address]:
        return ()


class Session:
    """Notes when it is told what."""

    told: dict[str, list[float]]
    now = 0.0

    def __init__(self, *arguments: object, **options: object) -> None:
        self.ready = asyncio.Event()
        self.ready.set()

    def ask_peers(self, target: bytes) -> None: ...

    def announce(self, target: bytes, port: int) -> None:
        self.told["here"].append(Session.now)

    def put_record(self, owner: Identity, data: bytes) -> None:
        self.told["record"].append(Session.now)

    def save(self) -> bytes:
        return b""

    async def stop(self) -> None: ...


def test_what_was_told_at_first_is_told_again_soon_and_then_ever_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarm.discovery.dht.DhtSession", Session)
    monkeypatch.setattr("swarm.discovery.dht.LOOK_EVERY_S", 0.0)
    Session.told, Session.now = {"here": [], "record": []}, 0.0
    over = asyncio.Event()

    def clock() -> float:
        Session.now += STEP_S
        if Session.now > END_S:
            over.set()
        return Session.now

    async def scene() -> None:
        settings = DhtSettings(hosts=("127.0.0.1",), port=0, bootstrap=(), table=tmp_path / "table")
        dht = Dht(Company(), settings, port=4000, is_local=False, clock=clock)
        dht.open(Sought(stream=STREAM, owner=OWNER, epoch=7))
        await over.wait()
        await dht.stop()

    asyncio.run(scene())
    assert [at - STEP_S for at in Session.told["here"]][:7] == [0, 30, 90, 210, 450, 930, 1830]
    assert [at - STEP_S for at in Session.told["record"]][:7] == [0, 30, 90, 210, 450, 930, 1890]
