//! What a model's prompt template puts into the prompt besides the caller's messages.
//!
//! It is billed as input, so the upper bound of the input has an allowance for it. Each figure
//! is the length in bytes of the text that the published template inserts, rounded up: a
//! byte-level tokenizer makes at most one token of a byte. Where a template is not published
//! and no recorded exchange shows its size, [`UNKNOWN`] applies, which is as generous as the
//! longest template known.

/// What a template adds, in tokens at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptTemplate {
    /// How the families begin.
    pub prefixes: &'static [&'static str],
    /// Around each message: role, begin and end markers, line breaks.
    pub per_message: u64,
    /// To each request: a date, the settings of the reasoning.
    pub always: u64,
    /// To a request without a system message: the default system prompt.
    pub without_system: u64,
    /// What is inserted, and how that is known. A sentence.
    pub source: &'static str,
}

/// Markers around a message in the usual templates. The longest of them, Llama 2's, are not
/// tokens of their own and need 14.
const USUAL_MARKERS: u64 = 16;
/// Markers that are spelt out, such as Kimi K3's tags with attributes.
const LONG_MARKERS: u64 = 40;

const fn row(
    prefixes: &'static [&'static str],
    per_message: u64,
    always: u64,
    without_system: u64,
    source: &'static str,
) -> PromptTemplate {
    PromptTemplate { prefixes, per_message, always, without_system, source }
}

/// Of families that are in no row, and of ids behind which any model may stand.
pub const UNKNOWN: PromptTemplate = row(
    &[],
    LONG_MARKERS,
    512,
    2_560,
    "Nothing is known of the template, so the largest of the known ones is assumed.",
);

/// The table; the first row whose prefix fits counts.
pub const TEMPLATES: &[PromptTemplate] = &[
    row(
        &["anthropic."],
        USUAL_MARKERS,
        0,
        0,
        "No default system prompt in recorded exchanges; Anthropic does not bill tokens that it adds itself.",
    ),
    row(
        &["amazon.nova-", "amazon.titan-t"],
        USUAL_MARKERS,
        0,
        0,
        "Recorded: 5 tokens for 18 bytes without a system message.",
    ),
    row(
        &["meta.llama2"],
        USUAL_MARKERS,
        0,
        512,
        "The default system prompt of 507 bytes in Meta's reference code, which Converse may use.",
    ),
    row(
        &["meta.llama3-8b-", "meta.llama3-70b-"],
        USUAL_MARKERS,
        0,
        0,
        "The published template inserts nothing.",
    ),
    row(
        &["meta.llama3-"],
        USUAL_MARKERS,
        96,
        0,
        "The published template of 3.1 and later: a system header with the knowledge cutoff and the date, 63 bytes.",
    ),
    row(
        &["meta.llama4-"],
        USUAL_MARKERS,
        96,
        512,
        "No copy of the template at hand; assumed to insert no more than those of Llama 2 and 3.",
    ),
    row(
        super::routes::LEGACY_MISTRAL,
        USUAL_MARKERS,
        0,
        0,
        "The published instruct prompt; recorded: 6 tokens for 18 bytes.",
    ),
    row(
        &["mistral.mistral-large-2407-"],
        USUAL_MARKERS,
        0,
        0,
        "The published templates of Mistral's tokenizer up to version 3 insert nothing.",
    ),
    row(
        &["mistral.magistral-"],
        USUAL_MARKERS,
        0,
        1_024,
        "The published default system prompt for reasoning, about 560 bytes.",
    ),
    row(
        &["mistral."],
        USUAL_MARKERS,
        0,
        2_560,
        "The published default system prompt of Ministral 3, 2,407 bytes, the longest of Mistral's.",
    ),
    row(
        &["cohere.command-"],
        USUAL_MARKERS,
        0,
        0,
        "The published template inserts nothing; recorded: 5 tokens for 18 bytes without a preamble.",
    ),
    row(&["ai21.j2-"], USUAL_MARKERS, 0, 0, "The prompt is one text; recorded: 10 tokens for 59 bytes."),
    row(
        &["deepseek.r1-", "deepseek.v3"],
        USUAL_MARKERS,
        0,
        0,
        "The published templates of R1, V3.1 and V3.2 insert markers only.",
    ),
    row(
        &["openai.gpt-oss-"],
        USUAL_MARKERS,
        288,
        0,
        "The harmony system message, 220 bytes, and the heading of the developer message, 16 bytes.",
    ),
    row(
        &["openai."],
        USUAL_MARKERS,
        512,
        0,
        "The template of GPT is not published; assumed to be at most twice the one of gpt-oss.",
    ),
    row(
        &["qwen.qwen3"],
        USUAL_MARKERS,
        0,
        128,
        "The published templates of Qwen 3 insert nothing without tools; that of Qwen 2.5 has 68 bytes.",
    ),
    row(&["google.gemma-3-"], USUAL_MARKERS, 0, 0, "The published template inserts markers only."),
    row(
        &["minimax.minimax-m2"],
        USUAL_MARKERS,
        0,
        128,
        "The published template names the model in a default system prompt, about 80 bytes.",
    ),
    row(
        &["moonshot.kimi-k2", "moonshotai.kimi-k2"],
        USUAL_MARKERS,
        0,
        128,
        "The published default system prompt, 53 bytes.",
    ),
    row(
        &["moonshotai.kimi-k3"],
        LONG_MARKERS,
        320,
        0,
        "The published template: a system message about the thinking effort, 223 bytes and its tags.",
    ),
    row(
        &["nvidia.nemotron-"],
        USUAL_MARKERS,
        32,
        0,
        "The published templates insert an empty system message.",
    ),
    row(
        &["zai.glm-4"],
        USUAL_MARKERS,
        32,
        0,
        "The published template inserts two opening markers, and a switch for the reasoning to each message.",
    ),
];

impl PromptTemplate {
    /// The row for a family.
    #[must_use]
    pub fn of(family: &str) -> &'static PromptTemplate {
        TEMPLATES
            .iter()
            .find(|row| row.prefixes.iter().any(|prefix| family.starts_with(prefix)))
            .unwrap_or(&UNKNOWN)
    }
}
