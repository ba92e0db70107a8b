"""Where a request comes from, also when a proxy of ours stands in front."""

from underwing.server.http import Request


def client_address(request: Request, proxies: str) -> str:
    """The address of who asks; "" when the server does not say.

    `X-Forwarded-For` is believed when the connection comes from one of `proxies` (between blanks), and then only its last
    entry that is none of them: what stands further left, anybody can write.
    """
    client = request.scope.get("client")
    address = str(client[0]) if client else ""
    ours = set(proxies.split())
    if address not in ours:
        return address
    given = (request.header(b"x-forwarded-for") or b"").decode("latin-1")
    entries = [entry.strip() for entry in given.split(",") if entry.strip()]
    return next((entry for entry in reversed(entries) if entry not in ours), address)[:100]
