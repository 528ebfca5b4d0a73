//! The bootstrap of the function `settle`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(settle::prepare, settle::handle)
}
