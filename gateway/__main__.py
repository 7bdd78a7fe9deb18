"""``python -m gateway`` is ``seedcast``."""

from gateway.cli import main

if __name__ == "__main__":
    main()
