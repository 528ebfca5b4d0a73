//! The bootstrap of the function `format-chat-completions`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::CHAT_COMPLETIONS)
}
