"""One function per verb. None of them commits, reads the clock, or hashes a password while a transaction is open."""
