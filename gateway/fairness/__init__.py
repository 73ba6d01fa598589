"""That nobody takes the door from the others: rates and quotas, a breaker per service, shares of its places, a waiting room, closures.

Everything here is decided in memory of one process, in microseconds; what several gateways must agree on (quotas, closures) goes
through the store every few seconds, never in the way of a request.
"""
