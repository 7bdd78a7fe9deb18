"""All links of one node: who is at their other ends, who has room, and which of them end, by whose doing.

The swarms are told of who has come and who is gone; nothing here knows what swarms say to each other.
"""

from collections.abc import Iterable
from math import inf
from random import Random

from swarm import handshake, wire
from swarm.bans import Bans
from swarm.clock import PING_EVERY_S, measure
from swarm.door import Door, Guest
from swarm.errors import ProofError, RemoteError
from swarm.events import Close, Dial, LinkInfo, LinkStats, Output, Send, Urgency
from swarm.homes import HomeTeller, credible_homes
from swarm.identity import Identity
from swarm.links import IDLE_S, LinkState, is_needless, keeps_old
from swarm.members import Members
from swarm.pacer import Pacer
from swarm.peers import Peer
from swarm.prefixes import crowd
from swarm.relocation import Relocation
from swarm.settings import NodeSettings
from swarm.traversal import Vantage
from swarm.units import Address, LinkId, PeerId
from swarm.uplink import Uplink

LOOK_EVERY_S = 1.0
"""How often links are looked after: handshakes out of time, pings due."""


class Connections:
    """One node's links, from the moment each is up, and the peers that have proved who they are."""

    def __init__(
        self,
        *,
        me: Identity,
        settings: NodeSettings,
        members: Members,
        uplink: Uplink,
        pacer: Pacer,
        vantage: Vantage,
        rng: Random,
        wall_offset_s: float,
        out: list[Output],
        now: float,
    ) -> None:
        self._me = me
        self._settings = settings
        self._members = members
        self._uplink = uplink
        self._pacer = pacer
        self._vantage = vantage
        self._rng = rng
        self._wall_offset_s = wall_offset_s
        self._out = out
        self._look_s = now
        self._door = Door()
        self._homes = HomeTeller(vantage)
        self.links: dict[LinkId, LinkState] = {}
        self.peers: dict[PeerId, Peer] = {}
        self.bans = Bans()
        self.relocation = Relocation()

    # -- what happens to a link

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None:
        """A connection is there, encrypted; its ends introduce themselves now."""
        if info.peer is not None and is_needless(self.peers.get(info.peer), info):
            self._close(link, "there is a better link to it")
            self._members.reached(info.address, info.peer)
            return
        name = crowd(info.address)
        if not self._has_room(name, info, now):
            self._out.append(Close(link=link, reason="no room for more links"))
            if info.dialled:
                self._members.dial_over(info.address, now)
            return
        if not self.links:
            self._look_s = max(self._look_s, now)  # with nothing to look after, nobody has looked
        self.links[link] = LinkState(info, now, name)
        if info.dialled:
            message = handshake.hello(self._me, info, download_only=self._settings.download_only)
            self.say(link, message)
            # The other end reads them in order: what I want to watch need not wait for its welcome.
            for member in self._members.values():
                if info.address in member.book.prospects:
                    self.say(link, member.greetings.interest())

    def link_down(self, link: LinkId, now: float) -> bool:
        """The driver lost a link; False when it had been closed before."""
        state = self.links.pop(link, None)
        if state is None:
            return False
        if state.peer is not None:
            self._forget(state.peer, now)
        elif state.info.dialled:
            self._members.dial_over(state.info.address, now)
        return True

    def measured(self, link: LinkId, stats: LinkStats, now: float) -> None:
        """What the driver measured on a link; about twice a second."""
        state = self.links.get(link)
        if state is None or state.peer is None:
            return
        sent, dropped = state.peer.measured(stats)
        self._uplink.measure(now)
        near = self._vantage.houses(state.peer.address, state.peer.rtt_s)
        self._pacer.sort(state.peer.address, near=near)
        if not near:  # else it does not cross the line
            self._uplink.note(sent, dropped, stats.queued_bytes, excess_s=stats.excess_s, now=now)

    def introduce(self, message: wire.Message, link: LinkId, state: LinkState, now: float) -> None:
        """The first message on a link. Raises MalformedMessage and ProofError."""
        info = state.info
        intro = handshake.open_welcome(info, message) if info.dialled else handshake.open_hello(self._me, info, message)
        if intro.key == self._me.key:
            for member in self._members.values():
                member.book.forget(info.address)
            self._close(link, "this is myself")
            return
        if self.bans.holds(intro.key, now) or not self._settings.admits(info.address, intro.key):
            self._drop(link, "not welcome here", now)
            return
        stays = self._prefer(info, intro.key, now)
        if not stays and self.peers[intro.key].address.is_v6 is info.address.is_v6:
            self._close(link, "connected already")
            return
        # Of a link that does not stay because there is one by IPv6, the dialler still learns where it is seen.
        if info.dialled:
            self._vantage.told(info.address, intro.observed)
        else:
            self._vantage.came_in(info.address, now)
            self.say(link, handshake.welcome(self._me, info, download_only=self._settings.download_only))
        if not stays:
            self._close(link, "connected by IPv6")
            return
        state.peer = peer = Peer(link, intro.key, info.address, info.dialled, intro.download_only, now)
        self.peers[intro.key] = peer
        self._ping(peer, now)
        self._tell_homes(self.peers.values() if self._homes.have_changed() else [peer])
        for member in self._members.values():
            member.rendezvous.met(peer)
            if info.dialled and info.address in member.book.prospects:
                member.greetings.greeted(peer)

    def receive(self, peer: Peer, message: wire.Ping | wire.Pong | wire.Homes, now: float) -> None:
        """What the ends of a link say to each other, whatever swarms they share."""
        match message:
            case wire.Ping():
                self.say(peer.link, wire.Pong(sent_us=message.sent_us, wall_us=self._wall_us(now)))
            case wire.Pong():
                measure(peer, message, self._wall_us(now))
            case wire.Homes():
                peer.homes = credible_homes(message.homes, peer.address)

    def say(self, link: LinkId, message: wire.Message) -> None:
        """Send a control message."""
        self._out.append(Send(link, wire.encode(message), Urgency.CONTROL, None))

    def end(self, link: LinkId, state: LinkState, fault: RemoteError, now: float) -> None:
        """Close a link for what came over it; a broken proof also bans who is known to be at its other end."""
        if isinstance(fault, ProofError) and state.peer is not None:
            self.bans.ban(state.peer.key, now)
        self._drop(link, str(fault), now)

    def close_all(self, reason: str, now: float) -> None:
        """Be connected with nobody."""
        for link in list(self.links):
            self._drop(link, reason, now)

    def moved(self, now: float) -> None:
        """The machine is in another network than before: links that do not answer from there are dialled anew."""
        self._vantage.moved()
        self.relocation.begin(self.links, now)
        for peer in self.peers.values():
            self._ping(peer, now)

    # -- time

    def next_timer(self) -> float:
        return min(self.relocation.next_timer, self._look_s if self.links else inf)

    def tick(self, now: float) -> None:
        """What is due, whoever said something or nothing."""
        if now >= self.relocation.next_timer:
            self._relocate(now)
        if now >= self._look_s:
            self._look_s = now + LOOK_EVERY_S
            self._look_after(now)

    def busy_addresses(self) -> set[Address]:
        """Where a link leads or is being made: once it is up, it serves all swarms that know the address."""
        return {state.info.address for state in self.links.values()} | self._members.dialling

    # -- who has room

    def _has_room(self, newcomer: str, info: LinkInfo, now: float) -> bool:
        """Whether one more link may come; where all places are taken, a useless link may have to make way for it."""
        links_max = self._settings.links_max
        if not info.dialled:
            came = [state.crowd for state in self.links.values() if not state.info.dialled]
            if not self._settings.may_admit(info.address) or self._door.crowded(came, newcomer, links_max):
                return False
        if info.dialled or len(self.links) < links_max:
            return len(self.links) < links_max
        link = self._door.give_way(self._guests(), newcomer, self._rng, now)
        if link is not None:
            self._drop(link, "its place is needed", now)
        return link is not None

    def _guests(self) -> list[Guest]:
        """All links, as far as it matters for who has to go."""
        busy = {key for member in self._members.values() for key in member.busy()}
        return [
            state.guest(link, busy, shares=state.peer is not None and self._shares_a_swarm(state.peer))
            for link, state in self.links.items()
        ]

    def _prefer(self, info: LinkInfo, key: PeerId, now: float) -> bool:
        """Whether a link stays; the other one to the same peer, if there is any, does not then."""
        old = self.peers.get(key)
        if old is None:
            return True
        if keeps_old(old, info, mine_is_lower=self._me.key < key, now=now):
            self._members.reached(info.address, key)
            return False
        self._drop(old.link, "replaced by another link", now)
        return True

    def _shares_a_swarm(self, peer: Peer) -> bool:
        return any(peer.key in member.circle.mates for member in self._members.values())

    # -- the end of a link

    def _drop(self, link: LinkId, reason: str, now: float) -> None:
        """Close a link, and forget who was, or might have been, at its other end."""
        state = self.links.get(link)
        self._close(link, reason)
        if state is not None and state.peer is not None:
            self._forget(state.peer, now)
        elif state is not None:
            self._members.dial_over(state.info.address, now)

    def _close(self, link: LinkId, reason: str) -> None:
        self.links.pop(link, None)
        self._out.append(Close(link=link, reason=reason))

    def _forget(self, peer: Peer, now: float) -> None:
        self._pacer.sort(peer.address, near=False)
        if self.peers.get(peer.key) is peer:
            del self.peers[peer.key]
            for member in self._members.values():
                member.parted(peer.key, peer.address, now)

    # -- housekeeping

    def _relocate(self, now: float) -> None:
        """Dial anew whose link has not come along, and one whose link has: the new one replaces it."""
        for link in sorted(self.relocation.lost(now) & self.links.keys()):
            peer = self.links[link].peer
            members = [m for m in self._members.values() if peer is not None and peer.key in m.circle.mates]
            self._drop(link, "it has not come along into another network", now)
            for member in members:
                member.find_again(peer, now)
        state = self.links.get(self.relocation.renewed(now) or LinkId(0))
        if state is not None and state.peer is not None and state.info.dialled:
            self._out.append(Dial(address=state.info.address, peer=state.peer.key))

    def _look_after(self, now: float) -> None:
        for link, state in list(self.links.items()):
            old_s, peer = now - state.since_s, state.peer
            if peer is None and old_s > handshake.ANSWER_S:
                self._drop(link, "no introduction", now)
            elif peer is not None and old_s > IDLE_S and not self._shares_a_swarm(peer):
                self._drop(link, "nothing in common", now)
        for peer in self.peers.values():
            if peer.ping_due_s <= now:
                self._ping(peer, now)
        for member in self._members.values():
            member.greetings.greet_named(self.peers.values())
        if self._homes.have_changed():
            self._tell_homes(self.peers.values())

    def _tell_homes(self, peers: Iterable[Peer]) -> None:
        for message in self._homes.news():
            for peer in peers:
                self.say(peer.link, message)

    def _ping(self, peer: Peer, now: float) -> None:
        peer.ping_due_s = now + PING_EVERY_S
        self.say(peer.link, wire.Ping(sent_us=self._wall_us(now)))

    def _wall_us(self, now: float) -> int:
        return int((now + self._wall_offset_s) * 1e6)
