//! The bootstrap of the function `limit-lookup`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(limit_lookup::prepare, limit_lookup::handle)
}
