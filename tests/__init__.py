"""Tests and measurements. Nothing of them, and nothing that they start, asks anybody for peers unless it says whom."""

import os

os.environ["SEEDCAST_TRACKERS"] = ""
os.environ["SEEDCAST_DHT"] = "false"
os.environ["SEEDCAST_LAN"] = "false"
