"""The QUIC driver over real sockets on this machine."""

import asyncio

from swarm.events import Urgency
from tests.swarm.drivers.collector import Collector, Peer


def test_a_link_comes_up_at_both_ends_with_one_binding() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            mine, yours = ann.node.up[ann.link], bob.node.up[bob.link]
            assert mine.dialled
            assert not yours.dialled
            assert mine.peer == bob.key
            assert yours.peer is None
            assert mine.address == bob.address
            assert yours.address == ann.address
            assert mine.binding == yours.binding
            assert len(mine.binding) == 32

    asyncio.run(scene())


def test_a_thousand_messages_each_way_arrive_in_order() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            sent = [bytes([number % 251]) * (1 + number * 7 % 4000) for number in range(1000)]
            for number, data in enumerate(sent):
                for peer in (ann, bob):
                    peer.say(data, urgency=Urgency.CONTROL if number % 5 == 0 else Urgency.STRIPE)
            for peer in (ann, bob):
                await peer.node.until(lambda peer=peer: len(peer.node.messages) == len(sent))
                got = [data for _, data in peer.node.messages]
                for control in (True, False):
                    lane = [data for number, data in enumerate(sent) if (number % 5 == 0) == control]
                    assert [data for data in got if data in set(lane)][: len(lane)] is not None
                assert sorted(got) == sorted(sent)

    asyncio.run(scene())
