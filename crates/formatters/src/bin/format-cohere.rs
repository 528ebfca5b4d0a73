//! The bootstrap of the function `format-cohere`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::COHERE)
}
