//! Every fault that can be requested, by service, with its HTTP status and message.

/// A fault that a service knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// `bedrock`, `dynamodb`, `cloudwatch` or `lambda`.
    pub service: &'static str,
    /// The error's name as the service gives it.
    pub name: &'static str,
    /// The HTTP status that it comes with.
    pub status: u16,
    /// The service's message.
    pub message: &'static str,
}

const fn known(service: &'static str, name: &'static str, status: u16, message: &'static str) -> Known {
    Known { service, name, status, message }
}

/// The services that take faults.
pub const SERVICES: [&str; 4] = ["bedrock", "dynamodb", "cloudwatch", "lambda"];

/// The name of the fault that loses an answer on its way back.
pub const LOST_REPLY: &str = "lost-reply";

/// The name of the fault that kills a function while it works.
pub const KILL_FUNCTION: &str = "kill-function";

/// Short names that people type.
pub const SHORT_NAMES: [(&str, &str); 1] = [("throttle", "ThrottlingException")];

const LOST: &str = "The connection was closed before the answer arrived.";

/// All known faults.
pub const KNOWN: &[Known] = &[
    known("bedrock", "ThrottlingException", 429, "Too many requests, please wait before trying again."),
    known(
        "bedrock",
        "ModelNotReadyException",
        429,
        "Model is not ready for inference. Wait and try your request again.",
    ),
    known(
        "bedrock",
        "InternalServerException",
        500,
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    known("bedrock", "ServiceUnavailableException", 503, "Bedrock is unable to process your request."),
    known(
        "bedrock",
        "ModelTimeoutException",
        408,
        "Model has timed out in processing the request. Try your request again.",
    ),
    known(
        "bedrock",
        "ModelErrorException",
        424,
        "The model has encountered an unexpected error during processing. Try your request again.",
    ),
    known(
        "bedrock",
        "ServiceQuotaExceededException",
        400,
        "Your request exceeds the service quota for your account.",
    ),
    known(
        "bedrock",
        "AccessDeniedException",
        403,
        "You don't have access to the model with the specified model ID.",
    ),
    known(
        "bedrock",
        "ResourceNotFoundException",
        404,
        "Could not resolve the foundation model from the provided model identifier.",
    ),
    known("bedrock", "ValidationException", 400, "The provided request is not valid."),
    known("bedrock", LOST_REPLY, 200, LOST),
    known(
        "dynamodb",
        "InternalServerError",
        500,
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    known("dynamodb", "ServiceUnavailable", 503, "The service is temporarily unavailable."),
    known(
        "dynamodb",
        "ProvisionedThroughputExceededException",
        400,
        "The level of configured provisioned throughput for the table was exceeded.",
    ),
    known(
        "dynamodb",
        "RequestLimitExceeded",
        400,
        "Throughput exceeds the current throughput limit for your account.",
    ),
    known("dynamodb", "ThrottlingException", 400, "Rate of requests exceeds the allowed throughput."),
    known(
        "dynamodb",
        "TransactionCanceledException",
        400,
        "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]",
    ),
    known("dynamodb", "TransactionConflictException", 400, "Transaction is ongoing for the item"),
    known(
        "dynamodb",
        "TransactionInProgressException",
        400,
        "The transaction with the given request token is already in progress.",
    ),
    known("dynamodb", "ConditionalCheckFailedException", 400, "The conditional request failed"),
    known("dynamodb", "ResourceNotFoundException", 400, "Requested resource not found"),
    known(
        "dynamodb",
        "AccessDeniedException",
        400,
        "User is not authorized to perform this operation on this resource.",
    ),
    known("dynamodb", "ValidationException", 400, "The provided request is not valid."),
    known("dynamodb", LOST_REPLY, 200, LOST),
    known(
        "cloudwatch",
        "InternalServiceFault",
        500,
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    known("cloudwatch", "ServiceUnavailable", 503, "The service is temporarily unavailable."),
    known("cloudwatch", "ThrottlingException", 400, "Rate exceeded"),
    known("cloudwatch", "LimitExceededException", 400, "The operation exceeded one or more limits."),
    known(
        "cloudwatch",
        "AccessDenied",
        403,
        "User is not authorized to perform this operation on this resource.",
    ),
    known("cloudwatch", LOST_REPLY, 200, LOST),
    known("lambda", "TooManyRequestsException", 429, "Rate Exceeded."),
    known("lambda", "ServiceException", 500, "An error occurred and the request cannot be processed."),
    known("lambda", "AWSLambdaException", 500, "The function could not be invoked."),
    known("lambda", "SdkClientException", 500, "Unable to execute HTTP request: connection reset"),
    known("lambda", "ResourceNotFoundException", 404, "Function not found"),
    known(
        "lambda",
        "AccessDeniedException",
        403,
        "User is not authorized to perform this operation on this resource.",
    ),
    known(
        "lambda",
        KILL_FUNCTION,
        200,
        "RequestId: unknown Error: Runtime exited with error: signal: killed",
    ),
    known("lambda", LOST_REPLY, 200, LOST),
];

/// The fault of this name that this service knows.
#[must_use]
pub fn find(service: &str, name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.service == service && known.name == name)
}

/// The services that a name without a service means: Bedrock where Bedrock has
/// such an error (faults are mostly asked for the model), else every service
/// that has it. A lost reply can happen to all of them.
#[must_use]
pub fn services_of(name: &str) -> Vec<&'static Known> {
    let all: Vec<_> = KNOWN.iter().filter(|known| known.name == name).collect();
    if name != LOST_REPLY && all.iter().any(|known| known.service == "bedrock") {
        return all.into_iter().filter(|known| known.service == "bedrock").collect();
    }
    all
}
