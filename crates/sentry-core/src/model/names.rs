//! Bare ids: `[geo.]vendor.model[:version][:context]`.

use super::{Vendor, not_chat};

/// Prefixes of geographic inference profiles.
pub const GEOS: &[&str] = &["us", "eu", "apac", "global", "us-gov", "jp", "au", "ca", "in"];

/// Context lengths that exist as ids of their own (for provisioned throughput), by family.
pub const CONTEXTS: &[(&str, &[&str])] = &[
    ("anthropic.claude-instant-v1", &["2:100k"]),
    ("anthropic.claude-v2", &["0:18k", "0:100k"]),
    ("anthropic.claude-v2:1", &["18k", "200k"]),
    ("anthropic.claude-3-sonnet-20240229-v1:0", &["28k", "200k"]),
    ("anthropic.claude-3-haiku-20240307-v1:0", &["48k", "200k"]),
    ("anthropic.claude-3-opus-20240229-v1:0", &["12k", "28k", "200k"]),
    ("anthropic.claude-3-5-sonnet-20240620-v1:0", &["18k", "51k", "200k"]),
    ("anthropic.claude-3-5-sonnet-20241022-v2:0", &["18k", "51k", "200k"]),
    ("anthropic.claude-3-5-haiku-20241022-v1:0", &["18k", "51k", "200k"]),
    ("amazon.titan-text-lite-v1", &["0:4k"]),
    ("amazon.titan-text-express-v1", &["0:8k"]),
    ("amazon.nova-micro-v1:0", &["24k", "128k"]),
    ("amazon.nova-lite-v1:0", &["24k", "300k"]),
    ("amazon.nova-pro-v1:0", &["24k", "300k"]),
    ("amazon.nova-premier-v1:0", &["8k", "20k", "1000k", "mm"]),
    ("meta.llama3-1-8b-instruct-v1:0", &["128k"]),
    ("meta.llama3-1-70b-instruct-v1:0", &["128k"]),
    ("meta.llama3-2-1b-instruct-v1:0", &["128k"]),
    ("meta.llama3-2-3b-instruct-v1:0", &["128k"]),
    ("meta.llama3-2-11b-instruct-v1:0", &["128k"]),
    ("meta.llama3-2-90b-instruct-v1:0", &["128k"]),
    ("meta.llama3-3-70b-instruct-v1:0", &["128k"]),
];

/// The suffixes that make an id with a context length out of a family.
pub(super) fn contexts(family: &str) -> &'static [&'static str] {
    CONTEXTS.iter().find(|(name, _)| *name == family).map_or(&[], |(_, suffixes)| suffixes)
}

/// Whether this is the 12-character id of a provisioned, custom or imported model.
pub(super) fn is_short(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// A name without its geographic prefix, where one stands and a vendor follows.
pub(super) fn without_geo(name: &str) -> &str {
    match name.split_once('.') {
        Some((first, rest)) if GEOS.contains(&first) && rest.contains('.') => rest,
        _ => name,
    }
}

/// The part before a known vendor that is no known geographic prefix: `sa` of
/// `sa.anthropic.claude-sonnet-5`. Such an id is another name of a model that is known, so it must
/// not become a family with a budget of its own. A known vendor's models may have dots in their
/// names, and the first part of an id whose vendor is not known is taken for the vendor.
pub(super) fn unknown_geo(name: &str) -> Option<&str> {
    let mut parts = name.splitn(3, '.');
    let (first, second, _model) = (parts.next()?, parts.next()?, parts.next()?);
    (!GEOS.contains(&first) && !is_vendor(first) && is_vendor(second)).then_some(first)
}

/// Whether models of this vendor are known, those that do not chat included.
fn is_vendor(part: &str) -> bool {
    Vendor::of_family(part) != Vendor::Other || not_chat::vendors().any(|vendor| vendor == part)
}

/// The family of a bare or geographic id.
pub(super) fn family(name: &str) -> Result<&str, String> {
    if let Some(geo) = unknown_geo(name) {
        return Err(format!(
            "The geographic prefix {geo:?} is not known, so the sentry cannot tell whose budget the model counts in. Known are {}; \
             use one of them, or the id without a prefix.",
            GEOS.join(", ")
        ));
    }
    let bare = without_geo(name);
    let shape = "Model ids look like \"vendor.model\", for example \"amazon.nova-2-lite-v1:0\"; copy the id from Bedrock's list of models.";
    let Some((vendor, model)) = bare.split_once('.') else {
        return Err(format!("This is no form of model id that Bedrock has. {shape}"));
    };
    if GEOS.contains(&vendor) {
        return Err(format!("After the geographic prefix a vendor and a model are missing. {shape}"));
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("Model ids are lower case; write it as Bedrock's list of models does.".to_owned());
    }
    let segment = |text: &str, extra: &str| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || extra.as_bytes().contains(&b))
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && text.bytes().next_back().is_some_and(|b| b.is_ascii_alphanumeric())
    };
    if !segment(vendor, "-")
        || !segment(model, "-._:")
        || ["..", "::", ".:", ":."].iter().any(|pair| model.contains(pair))
    {
        return Err(format!("This is no form of model id that Bedrock has. {shape}"));
    }
    Ok(without_context(bare))
}

/// A bare id without its context length: `:200k`, `:1000k`, `:mm`, and the version that some
/// old ids have only together with it.
fn without_context(bare: &str) -> &str {
    let Some((head, last)) = bare.rsplit_once(':') else { return bare };
    let length = last == "mm"
        || last.strip_suffix('k').is_some_and(|digits| {
            (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        });
    if !length {
        return bare;
    }
    // `amazon.titan-text-lite-v1:0:4k` is the model `amazon.titan-text-lite-v1`.
    CONTEXTS
        .iter()
        .filter(|(_, suffixes)| suffixes.iter().any(|suffix| suffix.contains(':')))
        .find(|(family, suffixes)| {
            bare.strip_prefix(family)
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|rest| suffixes.contains(&rest))
        })
        .map_or(head, |(family, _)| family)
}
