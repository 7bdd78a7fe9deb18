"""``make e2e-players``: the gateway's streams in real players. docs/players.md tells how and shows what came out."""
