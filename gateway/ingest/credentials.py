"""Passwords in URLs: struck out before a URL is shown to anyone or logged."""

import re

_USER_INFO = re.compile(r"(?<=://)[^/\s?#]+@")
_SECRET_VALUE = re.compile(
    r"(?i)(?<=[?&;])([\w.-]*(?:pass|pwd|secret|token|key|sig|auth|streamid|session|credential)[\w.-]*=)[^&;\s#'\"]+"
)


def masked(text: str) -> str:
    """``text`` with what authorises somebody in its URLs struck out: names, passwords, and values called secret."""
    return _SECRET_VALUE.sub(r"\1***", _USER_INFO.sub("***@", text))
