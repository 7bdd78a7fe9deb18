"""`seedcast demo`: a broadcaster, some relays and a gateway as processes of their own on this machine."""
