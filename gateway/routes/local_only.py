"""Routes for programs of this machine alone, also where the gateway is open to others: those that name files and URLs
to be opened, and those that show secrets."""

from ipaddress import ip_address

from fastapi import Request

from gateway.problems import Problem


def local_only(request: Request) -> None:
    """Raises Problem (403) for a request from another machine."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        local = (mapped or address).is_loopback
    except ValueError:
        local = False
    if not local:
        raise Problem(
            status=403,
            title="Only programs on the gateway's own machine may do that",
            detail="Ask at the machine itself, at http://localhost, or use the 'seedcast' command there.",
            slug="local-only",
        )
