"""`seedcast broadcast`: puts one input on air and prints its link."""

import asyncio
import hashlib
from contextlib import closing
from dataclasses import dataclass

from rich.console import Console

from gateway.app import Gateway
from gateway.channels import State
from gateway.commands.serve import running_gateway
from gateway.errors import CannotStart
from gateway.ingest.broadcast import Broadcast
from gateway.key_files import KeyFile, KeyInUse, open_key, passing_key
from gateway.on_air import OnAir
from gateway.reports import Report, report_on
from gateway.settings import Settings
from gateway.shutdown import stop_event
from gateway.terminal import keep_reporting, put_out
from swarm.link import Link, format_link
from swarm.errors import LinkError
from swarm.units import StreamId


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What is to be broadcast. ``new_key``: as a stream of its own, not the one of the same title before."""

    source: str
    title: str
    loop: bool = False
    new_key: bool = False
