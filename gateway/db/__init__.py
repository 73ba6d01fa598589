"""Tables of the gateway: who can sign in, how, and what is open now. No municipal fact is kept here."""

# ruff: noqa: F401 (`from gateway import db`, then `db.person(…)`: one name for all tables)

from gateway.db.base import Base
from gateway.db.fairness import ClosureRow, RequestsCountedRow, add_counts, closures, counts_of, forget_counts
from gateway.db.identities import (
    LinkedIdentityRow,
    can_sign_in,
    forget_password,
    forget_ways_in,
    identities_of,
    linked_person,
    with_identities,
)
from gateway.db.people import (
    CredentialRow,
    FailureRow,
    GuestTakenRow,
    PersonRow,
    SessionRow,
    TicketRow,
    TrailWaitingRow,
    any_sample_person,
    credential,
    end_provider_sessions,
    end_sessions,
    failures,
    failures_to_change,
    forget_ended,
    forget_failures,
    forget_guests_taken,
    live_session,
    note_session_used,
    person,
    person_by_email,
    persons,
    sessions_of,
    ticket,
    void_tickets,
)
from gateway.db.programs import (
    MachineTokenRow,
    has_holder,
    live_keys_of,
    live_machine_token,
    machine_tokens,
    note_machine_token_used,
)
from gateway.db.second_factors import (
    PasskeyRow,
    RecoveryCodeRow,
    codes_left,
    forget_codes,
    forget_passkeys,
    has_passkey,
    passkey_by_credential,
    passkeys_of,
)
from gateway.db.town_providers import TownProviderRow, town_provider, town_providers_on
