"""What stops a command, said so that the user knows what to do next."""


class CannotStart(Exception):
    """A command cannot do what it was asked for; the text says why and what to do. Exit code 2."""


class SettingsError(CannotStart):
    """The configuration file, the environment or an option holds a value that makes no sense."""
