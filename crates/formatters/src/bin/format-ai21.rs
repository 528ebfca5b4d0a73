//! The bootstrap of the function `format-ai21`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::AI21)
}
