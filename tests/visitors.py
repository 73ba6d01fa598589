"""People at the running cloud without a screen: an HTTP client that says what a browser says."""

from typing import Any

import httpx

from services.sample import PASSWORD


def visitor(url: str, **settings: Any) -> httpx.Client:
    """Nobody in particular, on pages of the cloud itself. `settings` are those of httpx."""
    headers = {"origin": url, "sec-fetch-site": "same-origin", "accept": "text/html"}
    return httpx.Client(base_url=url, headers=headers, trust_env=False, **{"timeout": 60, **settings})


def signed_in(url: str, email: str, **settings: Any) -> httpx.Client:
    """This person of the sample, signed in; redirects are not followed. The client has asked nothing yet: a used one refuses `with`."""
    with visitor(url, **settings) as door:
        answer = door.post("/sign-in", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return visitor(url, cookies=door.cookies, **settings)
