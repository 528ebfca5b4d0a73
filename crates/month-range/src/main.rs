//! The bootstrap of the function `month-range`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(|| async { Ok(()) }, |event, ()| month_range::handle(event))
}
