//! Logs: JSON lines, since CloudWatch Logs Insights reads their fields by name.

/// Starts logging to standard output. Only the sentry's own events of level `info` and
/// above are written: libraries log payloads on their lower levels, and a prompt must
/// never reach a log.
pub fn start() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_max_level(tracing::Level::INFO)
        .init();
}
