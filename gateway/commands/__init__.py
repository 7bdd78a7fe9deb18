"""What each command of ``seedcast`` does; ``gateway.cli`` reads the command line and calls in here."""
