"""Signing in with other people's accounts: the gateway as an OpenID Connect relying party, for several providers at once.

`providers.py` reads whom we trust; `metadata.py` keeps what each provider says of itself; `exchange.py` is the conversation (OpenID
Connect Core 1.0, 3.1; RFC 7636; RFC 9207; RFC 9700); `health.py` tells an operator what is wrong before people do.
"""
