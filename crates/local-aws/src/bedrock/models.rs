//! Which models there are, what each one takes, and what it refuses.
//!
//! Models are known by family, so that tomorrow's date suffix works; an id of no known family is
//! refused as the real service refuses it. Models past their end of life work: accounts with
//! extended access still use them.

use super::error::BedrockError;

/// The form of a model's native bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anthropic Messages.
    Claude,
    /// Claude 2 and Instant: Messages, or the older text completion.
    ClaudeLegacy,
    /// Amazon Nova.
    Nova,
    /// Amazon Titan Text.
    Titan,
    /// Meta Llama's prompt.
    Llama,
    /// Mistral's `[INST]` prompt.
    MistralPrompt,
    /// Mistral's messages.
    MistralChat,
    /// Cohere Command.
    CohereCommand,
    /// Cohere Command R and R+.
    CohereChat,
    /// AI21 Jurassic-2.
    Jurassic,
    /// AI21 Jamba.
    Jamba,
    /// DeepSeek R1's prompt.
    DeepSeekR1,
    /// Chat completions (OpenAI, Qwen, DeepSeek V3 and others).
    Chat,
    /// Writer Palmyra.
    Writer,
}

/// Which sampling parameters a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// All that its format has.
    Free,
    /// Temperature or top-p, not both.
    OneOf,
    /// None.
    Refused,
}

/// A chat model, as one id names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The id without a geo prefix.
    pub id: String,
    /// The value of CloudWatch's dimension `ModelId` for this way of naming it.
    pub metric_id: String,
    /// The form of its bodies.
    pub format: Format,
    /// The highest output limit that it accepts.
    pub max_output: u64,
    /// The limit when the request has none.
    pub default_output: u64,
    /// The highest temperature of its native format.
    pub max_temperature: f64,
    /// Sampling parameters.
    pub sampling: Sampling,
    /// Takes `top_k`.
    pub top_k: bool,
    /// Takes stop sequences.
    pub stops: bool,
    /// Takes a system prompt through Converse.
    pub system: bool,
    /// Takes more than one message through Converse.
    pub history: bool,
    /// Goes on from a closing assistant message.
    pub prefill: bool,
    /// Wants `max_completion_tokens` (GPT-5 and later).
    pub completion_tokens: bool,
    /// CountTokens knows it, under this way of naming it.
    pub counts_tokens: bool,
}

const GEOS: [&str; 9] = ["us", "eu", "apac", "global", "us-gov", "jp", "au", "ca", "in"];
const CONTEXTS: [&str; 8] = ["12k", "18k", "24k", "28k", "48k", "100k", "200k", "300k"];
/// What an opaque ARN (application inference profile, provisioned, imported) is taken for when
/// the host has not been told better.
const OPAQUE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Finds the model that an id or ARN names; `aliases` are opaque ids and what they stand for.
///
/// # Errors
/// The id names nothing, or nothing that chats.
pub fn resolve(model_id: &str, aliases: &[(String, String)]) -> Result<Model, BedrockError> {
    if model_id.is_empty() || model_id.len() > 2048 || !model_id.is_ascii() {
        return Err(BedrockError::unknown_model());
    }
    let alias = |id: &str| aliases.iter().find(|(name, _)| name == id).map(|(_, target)| target.as_str());
    if let Some(target) = alias(model_id) {
        let mut model = named(target)?;
        model.metric_id = model_id.rsplit('/').next().unwrap_or(model_id).to_owned();
        model.counts_tokens = false;
        return Ok(model);
    }
    let Some(arn) = model_id.strip_prefix("arn:") else {
        return named(model_id);
    };
    let mut parts = arn.splitn(5, ':');
    let (partition, service, region, account, resource) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next().unwrap_or_default());
    let (kind, id) = resource.split_once('/').ok_or_else(BedrockError::unknown_model)?;
    if !partition.is_some_and(|name| name.starts_with("aws"))
        || service != Some("bedrock")
        || region.is_none_or(str::is_empty)
        || account.is_none_or(|id| {
            !(id.is_empty() || id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()))
        })
    {
        return Err(BedrockError::unknown_model());
    }
    let mut model = match kind {
        "foundation-model" | "inference-profile" => named(id)?,
        "application-inference-profile"
        | "provisioned-model"
        | "custom-model"
        | "custom-model-deployment"
        | "imported-model" => {
            let short = id.rsplit('/').next().unwrap_or(id);
            if short.is_empty() || !short.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(BedrockError::unknown_model());
            }
            let mut model = named(alias(short).unwrap_or(OPAQUE))?;
            model.metric_id = short.to_owned();
            model
        }
        _ => return Err(BedrockError::unknown_model()),
    };
    model.counts_tokens = false;
    Ok(model)
}

/// The model of an id that is not an ARN.
fn named(model_id: &str) -> Result<Model, BedrockError> {
    let (prefixed, bare) = match model_id.split_once('.') {
        Some((geo, rest)) if GEOS.contains(&geo) && rest.contains('.') => (true, rest),
        _ => (false, model_id),
    };
    let (vendor, name) = bare.split_once('.').ok_or_else(BedrockError::unknown_model)?;
    let tidy = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if name.is_empty() || bare.len() > 140 || !name.bytes().all(tidy) {
        return Err(BedrockError::unknown_model());
    }
    let mut parts = name.split(':');
    let (stem, numbers) = (parts.next().unwrap_or_default(), parts.collect::<Vec<_>>());
    let suffixes = numbers.iter().enumerate().all(|(index, part)| {
        (index == 0 && part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty())
            || (index > 0 && CONTEXTS.contains(part))
    });
    if !suffixes || numbers.len() > 2 {
        return Err(BedrockError::unknown_model());
    }
    if not_chat(vendor, stem) {
        return Err(BedrockError::not_a_text_model());
    }
    let mut model = match vendor {
        "anthropic" => claude(stem),
        "amazon" => amazon(stem),
        "meta" => llama(stem),
        "mistral" => mistral(stem),
        "cohere" => cohere(stem),
        "ai21" => ai21(stem),
        "deepseek" => deepseek(stem),
        "openai" => openai(stem, numbers.is_empty()),
        "writer" => stem
            .starts_with("palmyra-x")
            .then(|| Model { default_output: 1024, ..base(Format::Writer, 8192) }),
        "qwen" => stem.starts_with("qwen3-").then(|| base(Format::Chat, 65_536)),
        "google" => stem.starts_with("gemma-3-").then(|| base(Format::Chat, 8192)),
        "minimax" => stem.starts_with("minimax-m").then(|| base(Format::Chat, 131_072)),
        "moonshot" => stem.starts_with("kimi-k").then(|| base(Format::Chat, 131_072)),
        "moonshotai" => {
            (stem.starts_with("kimi-k") && stem != "kimi-k2-thinking").then(|| base(Format::Chat, 131_072))
        }
        "nvidia" => stem.starts_with("nemotron-").then(|| base(Format::Chat, 131_072)),
        "zai" => stem.starts_with("glm-").then(|| base(Format::Chat, 131_072)),
        "xai" => (stem.starts_with("grok-") && stem != "grok-4.3")
            .then(|| Model { stops: false, ..base(Format::Chat, 131_072) }),
        _ => None,
    }
    .ok_or_else(BedrockError::unknown_model)?;
    model.id = bare.to_owned();
    model.metric_id = model_id.to_owned();
    model.counts_tokens &= !prefixed;
    Ok(model)
}

fn not_chat(vendor: &str, stem: &str) -> bool {
    match vendor {
        "amazon" => [
            "titan-embed-",
            "titan-image-",
            "nova-canvas",
            "nova-reel",
            "nova-sonic",
            "nova-2-sonic",
            "nova-2-multimodal-embeddings",
            "rerank-",
        ]
        .iter()
        .any(|prefix| stem.starts_with(prefix)),
        "cohere" => stem.starts_with("embed-") || stem.starts_with("rerank-"),
        "twelvelabs" | "stability" | "luma" => true,
        _ => false,
    }
}

fn base(format: Format, max_output: u64) -> Model {
    Model {
        id: String::new(),
        metric_id: String::new(),
        format,
        max_output,
        default_output: max_output,
        max_temperature: if format == Format::Chat { 2.0 } else { 1.0 },
        sampling: Sampling::Free,
        top_k: false,
        stops: true,
        system: true,
        history: true,
        prefill: false,
        completion_tokens: false,
        counts_tokens: false,
    }
}

fn claude(stem: &str) -> Option<Model> {
    let name = stem.strip_prefix("claude-")?;
    if matches!(name, "v1" | "v2" | "instant-v1") {
        return Some(Model { top_k: true, prefill: true, ..base(Format::ClaudeLegacy, 4096) });
    }
    let (family, version) = claude_version(name)?;
    let max_output = match (family, version) {
        ("", (3, 5)) => 8192,
        ("", (3, 7)) => 64_000,
        ("", _) => 4096,
        ("opus", (4, 0..=1)) => 32_000,
        (_, (4, 0..=5)) => 64_000,
        _ => 128_000,
    };
    let sampling = match (family, version) {
        ("opus", (4, 7..)) | (_, (5.., _)) => Sampling::Refused,
        ("opus", (4, 1)) | (_, (4, 5..=6)) => Sampling::OneOf,
        _ => Sampling::Free,
    };
    Some(Model {
        sampling,
        top_k: sampling != Sampling::Refused,
        prefill: version < (4, 6),
        counts_tokens: matches!(
            (family, version),
            ("haiku", (4, 5)) | ("opus", (4, 1..=6)) | ("sonnet", (4, 0..=6))
        ),
        ..base(Format::Claude, max_output)
    })
}

/// The family (empty up to Claude 3) and the version of what follows `claude-`.
pub fn claude_version(name: &str) -> Option<(&str, (u64, u64))> {
    if name.starts_with("3-") {
        return Some(("", (3, version_of(name).1)));
    }
    let (family, rest) = name.split_once('-')?;
    if !matches!(family, "opus" | "sonnet" | "haiku" | "fable" | "mythos") {
        return None;
    }
    let version = if rest == "preview" { (5, 0) } else { version_of(rest) };
    (version.0 >= 4).then_some((family, version))
}

/// `4-7…` is (4, 7), `4-20250514…` is (4, 0); what is not a number counts as zero.
fn version_of(text: &str) -> (u64, u64) {
    let mut parts = text.split('-').map(|part| part.parse::<u64>().unwrap_or(0));
    let major = parts.next().unwrap_or(0);
    (major, parts.next().filter(|minor| *minor < 100).unwrap_or(0))
}

fn amazon(stem: &str) -> Option<Model> {
    let titan = |limit| Model { system: false, default_output: 512, ..base(Format::Titan, limit) };
    let nova = |limit| Model { top_k: true, prefill: true, ..base(Format::Nova, limit) };
    match stem {
        "titan-tg1-large" | "titan-text-lite-v1" => Some(titan(4096)),
        "titan-text-express-v1" => Some(titan(8192)),
        "titan-text-premier-v1" => Some(titan(3072)),
        "nova-micro-v1" | "nova-lite-v1" | "nova-pro-v1" => Some(nova(10_000)),
        "nova-premier-v1" => Some(nova(32_000)),
        _ if stem.starts_with("nova-2-") => Some(nova(65_535)),
        _ => None,
    }
}

fn llama(stem: &str) -> Option<Model> {
    let rest = stem.strip_prefix("llama")?;
    let limit = match rest.get(..2)? {
        "2-" => 2048,
        "3-" if !matches!(rest.get(3..4), Some("-")) => 2048,
        "3-" | "4-" => 8192,
        _ => return None,
    };
    Some(Model { stops: false, default_output: 512, ..base(Format::Llama, limit) })
}

fn mistral(stem: &str) -> Option<Model> {
    let prompt = |limit, system| Model {
        system,
        top_k: true,
        default_output: 512,
        ..base(Format::MistralPrompt, limit)
    };
    let chat = |limit| Model { max_temperature: 1.5, ..base(Format::MistralChat, limit) };
    if stem.starts_with("mistral-7b-instruct-") {
        return Some(prompt(8192, false));
    }
    if stem.starts_with("mixtral-8x7b-instruct-") {
        return Some(prompt(4096, false));
    }
    match stem {
        "mistral-large-2402-v1" | "mistral-small-2402-v1" => Some(prompt(8192, true)),
        "mistral-large-2407-v1" => Some(chat(8192)),
        _ => ["mistral-large-", "pixtral-", "ministral-", "devstral-", "magistral-", "voxtral-"]
            .iter()
            .any(|prefix| stem.starts_with(prefix))
            .then(|| chat(32_768)),
    }
}

fn cohere(stem: &str) -> Option<Model> {
    match stem {
        "command-text-v14" | "command-light-text-v14" => Some(Model {
            system: false,
            history: false,
            max_temperature: 5.0,
            top_k: true,
            default_output: 20,
            ..base(Format::CohereCommand, 4096)
        }),
        "command-r-v1" | "command-r-plus-v1" => Some(Model { top_k: true, ..base(Format::CohereChat, 4096) }),
        _ => None,
    }
}

fn ai21(stem: &str) -> Option<Model> {
    if matches!(
        stem,
        "j2-mid-v1" | "j2-ultra-v1" | "j2-mid" | "j2-ultra" | "j2-grande-instruct" | "j2-jumbo-instruct"
    ) {
        return Some(Model {
            system: false,
            history: false,
            default_output: 200,
            ..base(Format::Jurassic, 8191)
        });
    }
    stem.starts_with("jamba-").then(|| Model { max_temperature: 2.0, ..base(Format::Jamba, 4096) })
}

fn deepseek(stem: &str) -> Option<Model> {
    if stem == "r1-v1" {
        return Some(base(Format::DeepSeekR1, 32_768));
    }
    (stem == "v3-v1" || stem.starts_with("v3.")).then(|| base(Format::Chat, 65_536))
}

fn openai(stem: &str, no_number: bool) -> Option<Model> {
    if let Some(size) = stem.strip_prefix("gpt-oss-") {
        // Without its `-1:0` the plain model lives on another endpoint.
        let mantle = no_number && matches!(size, "20b" | "120b");
        return (!mantle).then(|| base(Format::Chat, 131_072));
    }
    let version = stem.strip_prefix("gpt-")?.split('-').next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let version = (major.parse::<u64>().ok()?, minor.parse::<u64>().ok()?);
    (version >= (5, 0)).then(|| Model {
        sampling: Sampling::Refused,
        stops: version < (5, 6),
        completion_tokens: true,
        ..base(Format::Chat, 128_000)
    })
}
