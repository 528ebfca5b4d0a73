//! EventBridge's default bus.

#[cfg(test)]
mod tests;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::DisplayErrorContext;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::notice::{Notice, SOURCE};

use crate::{Connection, PublishEvents};

/// The most entries that one `PutEvents` takes.
const ENTRIES_PER_CALL: usize = 10;

/// The default event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
}

impl EventBus {
    /// The bus of the connection's account and region.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(&connection.config) }
    }
}

impl PublishEvents for EventBus {
    async fn publish(&self, entries: &[Notice]) -> Result<(), SentryError> {
        let mut failed = 0;
        for notices in entries.chunks(ENTRIES_PER_CALL) {
            let entries = notices.iter().map(|notice| {
                PutEventsRequestEntry::builder()
                    .source(SOURCE)
                    .detail_type(notice.detail_type)
                    .detail(notice.detail.to_string())
                    .build()
            });
            let answer = self
                .client
                .put_events()
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(|error| unsent(&DisplayErrorContext(&error).to_string()))?;
            for entry in answer.entries().iter().filter(|entry| entry.error_code().is_some()) {
                let (code, message) = (entry.error_code(), entry.error_message());
                tracing::error!(code, message, "EventBridge did not take a notice");
            }
            failed += answer.failed_entry_count();
        }
        if failed > 0 {
            return Err(unsent(&format!("EventBridge did not take {failed} of {} notices", entries.len())));
        }
        Ok(())
    }
}

fn unsent(reason: &str) -> SentryError {
    tracing::error!(reason, "notices cannot be sent");
    SentryError::new(ErrorName::InternalError, "Some notices could not be sent to EventBridge.")
}
