"""Whether the broker takes our account: a connection that is made and closed."""

from kombu import Connection
from kombu.exceptions import OperationalError

SECONDS = 10


def connect(url: str) -> str:
    """ "" where it went well, else what went wrong. The address is not repeated: a password stands in it."""
    try:
        with Connection(url, connect_timeout=SECONDS) as connection:
            connection.connect()
    except (OperationalError, OSError) as error:
        return type(error).__name__
    except Exception as error:  # amqp's own: access refused, an unknown vhost
        return str(error)[:200]
    return ""
