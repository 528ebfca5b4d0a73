//! The bootstrap of the function `format-openai`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::OPENAI)
}
