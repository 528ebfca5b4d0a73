//! ARNs: `arn:<partition>:bedrock:<region>:<account>:<kind>/<name>`.

use super::{ModelError, ModelId, names};

/// What can stand before the name, and whether the name says which model it is.
const OPAQUE_KINDS: &[&str] = &[
    "application-inference-profile",
    "provisioned-model",
    "custom-model",
    "custom-model-deployment",
    "imported-model",
];

/// Understands an ARN.
pub(super) fn parse(arn: &str) -> Result<ModelId, ModelError> {
    let unknown = || {
        ModelError::unsupported(
            arn,
            "This is no form of Bedrock ARN that can be served. Known are foundation-model, inference-profile, \
             application-inference-profile, provisioned-model, custom-model, custom-model-deployment and imported-model.",
        )
    };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts[..] else { return Err(unknown()) };
    let partition_known = partition == "aws"
        || partition.strip_prefix("aws-").is_some_and(|rest| !rest.is_empty() && plain(rest));
    let account_known =
        account.is_empty() || (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
    if !partition_known || service != "bedrock" || region.is_empty() || !plain(region) || !account_known {
        return Err(unknown());
    }
    let Some((kind, name)) = resource.split_once('/') else { return Err(unknown()) };
    match kind {
        "foundation-model" | "inference-profile" => {
            // A foundation model is named without a geographic prefix and a profile with one. A
            // profile whose prefix is not known gets the sentence that says so.
            let has_geo = names::without_geo(name) != name;
            let prefixed = has_geo || names::unknown_geo(name).is_some();
            if prefixed != (kind == "inference-profile") {
                return Err(unknown());
            }
            ModelId::named(arn, name)
        }
        _ if OPAQUE_KINDS.contains(&kind) => {
            let short = name.rsplit('/').next().unwrap_or_default();
            let usable = !short.is_empty()
                && name.split('/').count() <= 2
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._:/".contains(&b));
            if usable { Ok(ModelId::opaque(arn, short)) } else { Err(unknown()) }
        }
        "prompt-router" | "default-prompt-router" => Err(ModelError::unsupported(
            arn,
            "A prompt router picks a different model for each request, so no budget can be checked before; name a model.",
        )),
        _ => Err(unknown()),
    }
}

fn plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
