//! The bootstrap of the function `format-deepseek`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::DEEPSEEK)
}
