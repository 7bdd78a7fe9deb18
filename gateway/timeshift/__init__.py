"""Time-shift: the last half hour of each stream on disk, to go back in, and to see again when the broadcast is over."""
