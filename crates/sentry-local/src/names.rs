//! The fixed names of the host's tables and state machines, so that scripts can rely on them.

/// The table of the limits, key `modelId`.
pub const LIMITS_TABLE: &str = "sentry-limits";
/// The table of the ledger, key `budget`.
pub const LEDGER_TABLE: &str = "sentry-ledger";
/// The table of claimed idempotency keys, key `claim`.
pub const CLAIMS_TABLE: &str = "sentry-claims";
/// The table of API keys, key `keyId`.
pub const KEYS_TABLE: &str = "sentry-keys";
/// The workflow that takes requests.
pub const RATE_LIMITER: &str = "rate-limiter";
/// The nested workflow that calls the models.
pub const MODEL_ROUTER: &str = "model-router";
