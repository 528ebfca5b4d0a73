//! Which failures of DynamoDB are repeated, and for how long.
//!
//! Only an operation that was certainly not done is repeated: the SDK's own retries would also
//! repeat one after a timeout, when it may have been done. The pauses double, with full jitter (a
//! random time between zero and the pause), so that callers that were refused together do not
//! retry together.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use tokio::time::{Instant, sleep};

/// How long an operation is repeated; well under the timeout of a function.
pub(crate) const REPEATED_FOR: Duration = Duration::from_secs(3);
/// The longest pause after the first attempt. It doubles from one attempt to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// The pauses grow no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// Errors with which DynamoDB says that it did nothing, because of too much load on the table,
/// the account or, by a transaction, the item.
const REFUSED: [&str; 4] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionConflictException",
];

/// Why an operation ended without success.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// It was certainly not done, and the time for repeating it is up.
    Throttled,
    /// Another error, which repeating does not help or which may hide that it was done.
    Other(Box<SdkError<E>>),
}

/// Repeats an operation while `again` says of its error that it was not done and may be repeated.
pub(crate) async fn repeated<T, E, Attempt>(
    mut attempt: impl FnMut() -> Attempt + Send,
    mut again: impl FnMut(&SdkError<E>) -> bool + Send,
) -> Result<T, Failure<E>>
where
    Attempt: Future<Output = Result<T, SdkError<E>>> + Send,
{
    let mut backoff = Backoff::new();
    loop {
        // Boxed: an SDK call is a large future, and callers nest several.
        match Box::pin(attempt()).await {
            Ok(done) => return Ok(done),
            Err(error) if !again(&error) => return Err(Failure::Other(Box::new(error))),
            Err(_) => {}
        }
        if !backoff.pause().await {
            return Err(Failure::Throttled);
        }
    }
}

/// Whether DynamoDB certainly did nothing: it refused for its load, or nothing listened at its address.
pub(crate) fn was_refused<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::DispatchFailure(failure) => {
            failure.as_connector_error().is_some_and(|error| connection_was_refused(error))
        }
        SdkError::ServiceError(error) => error.err().code().is_some_and(|code| REFUSED.contains(&code)),
        _ => false,
    }
}

/// Other errors of a connection do not tell whether the request had been sent.
fn connection_was_refused(error: &(dyn Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(cause) = error {
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        error = cause.source();
    }
    false
}

/// The pauses between the attempts at one operation.
#[derive(Debug)]
pub(crate) struct Backoff {
    since: Instant,
    longest: Duration,
}

impl Backoff {
    /// From now on.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), longest: FIRST_PAUSE }
    }

    /// Waits before the next attempt; `false` when the time for repeating is up.
    pub(crate) async fn pause(&mut self) -> bool {
        let pause = self.longest.mul_f64(fastrand::f64());
        self.longest = (self.longest * 2).min(LONGEST_PAUSE);
        if self.since.elapsed() + pause > REPEATED_FOR {
            return false;
        }
        sleep(pause).await;
        true
    }
}
