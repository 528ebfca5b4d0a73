//! The bootstrap of the function `format-qwen`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::QWEN)
}
