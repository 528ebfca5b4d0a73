//! How many input tokens a picture costs at most.
//!
//! From the vendors' documentation and recorded exchanges; a family that is in no row has no
//! rule, so that only its context window bounds the request.

/// Claude up to 4.6 scales a picture down to this many tokens.
const CLAUDE: u64 = 1_568;
/// Claude 4.7 and later.
const CLAUDE_HIGH_RESOLUTION: u64 = 4_784;
/// Claude models that scale down to [`CLAUDE`].
const CLAUDE_LOW_RESOLUTION: &[&str] = &[
    "anthropic.claude-v",
    "anthropic.claude-instant",
    "anthropic.claude-3",
    "anthropic.claude-sonnet-4-2025",
    "anthropic.claude-opus-4-2025",
    "anthropic.claude-opus-4-1-",
    "anthropic.claude-sonnet-4-5-",
    "anthropic.claude-opus-4-5-",
    "anthropic.claude-haiku-4-5-",
    "anthropic.claude-sonnet-4-6",
    "anthropic.claude-opus-4-6",
];

/// A rule for the pictures of some families.
#[derive(Debug, Clone, Copy)]
pub struct ImageRule {
    /// How the families begin.
    pub prefixes: &'static [&'static str],
    /// The tokens of a picture with this width and height in pixels, at most.
    pub tokens: fn(u64, u64) -> u64,
    /// The rule in words, and how it is known. A sentence.
    pub source: &'static str,
}

/// The rules; the first row whose prefix fits counts.
pub const IMAGE_RULES: &[ImageRule] = &[
    ImageRule {
        prefixes: CLAUDE_LOW_RESOLUTION,
        tokens: |width, height| grid(width, height, 28).min(CLAUDE) + 32,
        source: "Documented: a token for each 28 by 28 pixels, 1,568 at most; recorded exchanges agree exactly.",
    },
    ImageRule {
        prefixes: &["anthropic."],
        tokens: |width, height| grid(width, height, 28).min(CLAUDE_HIGH_RESOLUTION) + 32,
        source: "Documented: a token for each 28 by 28 pixels, 4,784 at most.",
    },
    ImageRule {
        prefixes: &["amazon.nova-2-"],
        tokens: |width, height| grid(width, height, 28).clamp(256, 4_096) + 64,
        source: "Recorded: about a token for 790 pixels; billed at 230 each, as documented.",
    },
    ImageRule {
        prefixes: &["amazon.nova-"],
        tokens: |_, _| 4_096,
        source: "Documented: up to 2,600 tokens; recorded: small pictures are scaled up.",
    },
    ImageRule {
        prefixes: &["meta.llama4-"],
        tokens: |_, _| 2_560,
        source: "Published: 144 tokens for each of at most 17 tiles.",
    },
    ImageRule {
        prefixes: &["mistral."],
        tokens: |width, height| pixtral(width, height).min(4_160) + 32,
        source: "Published: a token for each 16 by 16 pixels and one for each row, 4,160 at most; recorded exchanges agree.",
    },
];

impl ImageRule {
    /// The rule for a family.
    #[must_use]
    pub fn of(family: &str) -> Option<&'static ImageRule> {
        IMAGE_RULES.iter().find(|rule| rule.prefixes.iter().any(|prefix| family.starts_with(prefix)))
    }
}

fn grid(width: u64, height: u64, pixels: u64) -> u64 {
    width.div_ceil(pixels).saturating_mul(height.div_ceil(pixels))
}

/// Rows end in a token of their own; a picture may be turned.
fn pixtral(width: u64, height: u64) -> u64 {
    let (across, down) = (width.div_ceil(16), height.div_ceil(16));
    (across * (down + 1)).max(down * (across + 1))
}
