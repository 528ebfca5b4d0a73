//! The bootstrap of the function `validate-request`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(|| async { Ok(()) }, |event, ()| validate_request::handle(event))
}
