//! How long a request waits for reservations in flight.

/// How long a request waits in all, in seconds.
pub const MAX_WAIT_SECONDS: u64 = 15;
/// The longest single wait, in seconds; waits are spread from one second up to this.
pub const LONGEST_WAIT_SECONDS: u64 = 3;
/// Waited so long, a request takes a part of what is free instead of waiting for all it asked.
const PATIENCE_SECONDS: u64 = 5;

/// Whether a request that has waited so long may wait on.
#[must_use]
pub const fn may_wait(waited_seconds: u64) -> bool {
    waited_seconds < MAX_WAIT_SECONDS
}

/// Whether a request that has waited so long still waits for all that it asked.
#[must_use]
pub const fn is_patient(waited_seconds: u64) -> bool {
    waited_seconds < PATIENCE_SECONDS
}

/// The seconds of the next wait, different for different requests: those that were refused
/// together must not come back together.
#[must_use]
pub const fn next_wait(request_hash: u64, waited_seconds: u64) -> u64 {
    1 + request_hash.wrapping_add(waited_seconds) % LONGEST_WAIT_SECONDS
}
