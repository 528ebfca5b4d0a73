//! The bootstrap of the function `usage-query`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(usage_query::prepare, usage_query::handle)
}
