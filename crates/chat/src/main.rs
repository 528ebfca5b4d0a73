//! The bootstrap of the function `chat`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(chat::prepare, chat::handle)
}
