use super::super::{IMAGE_RULES, ImageRule};

fn tokens(family: &str, width: u64, height: u64) -> u64 {
    (ImageRule::of(family).unwrap().tokens)(width, height)
}

/// What recorded exchanges were billed, and what the rule says.
#[test]
fn recorded_pictures_are_covered() {
    for (family, width, height, recorded) in [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", 128, 128, 25),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", 239, 178, 63),
        ("amazon.nova-lite-v1:0", 540, 360, 1_788),
        ("amazon.nova-pro-v1:0", 1_300, 1_300, 2_600),
        ("amazon.nova-2-lite-v1:0", 597, 566, 463),
        ("amazon.nova-2-lite-v1:0", 400, 301, 187),
        ("mistral.pixtral-large-2502-v1:0", 597, 566, 1_404),
        ("meta.llama4-maverick-17b-instruct-v1:0", 597, 566, 1_626),
    ] {
        let bound = tokens(family, width, height);
        assert!(bound >= recorded, "{family}: {bound} < {recorded}");
    }
    // The rule of Claude is documented, so that the margin may be small.
    assert_eq!(tokens("anthropic.claude-sonnet-4-6", 239, 178), 63 + 32);
}

/// Claude reads larger pictures from 4.7 on, and no name of an earlier model is taken for one.
#[test]
fn each_claude_has_its_resolution() {
    for family in [
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "anthropic.claude-3-7-sonnet-20250219-v1:0",
        "anthropic.claude-sonnet-4-20250514-v1:0",
        "anthropic.claude-opus-4-20250514-v1:0",
        "anthropic.claude-opus-4-1-20250805-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "anthropic.claude-opus-4-5-20251101-v1:0",
        "anthropic.claude-sonnet-4-6",
        "anthropic.claude-opus-4-6-v1",
    ] {
        assert_eq!(tokens(family, 8_000, 8_000), 1_568 + 32, "{family}");
    }
    for family in [
        "anthropic.claude-opus-4-7",
        "anthropic.claude-opus-4-8",
        "anthropic.claude-sonnet-5",
        "anthropic.claude-opus-5-5",
        "anthropic.claude-haiku-5-5",
        "anthropic.claude-fable-5",
    ] {
        assert_eq!(tokens(family, 8_000, 8_000), 4_784 + 32, "{family}");
    }
}

/// A larger picture never counts less, so that the largest of several sizes may stand for all;
/// turning it changes nothing; and there is a most.
#[test]
fn every_rule_grows_with_the_picture_to_a_most() {
    let edges = [1, 2, 27, 28, 29, 64, 512, 1_023, 1_024, 1_568, 4_000, 8_000];
    for rule in IMAGE_RULES {
        for pair in edges.windows(2) {
            for other in edges {
                assert!((rule.tokens)(pair[0], other) <= (rule.tokens)(pair[1], other), "{}", rule.source);
                assert_eq!((rule.tokens)(pair[0], other), (rule.tokens)(other, pair[0]), "{}", rule.source);
            }
        }
        let most = (rule.tokens)(8_000, 8_000);
        assert!(most < 5_000 && (rule.tokens)(1_000_000, 1_000_000) == most, "{}", rule.source);
        assert!(rule.source.ends_with('.'));
    }
}

#[test]
fn families_without_a_rule_have_none() {
    for family in [
        "qwen.qwen3-vl-235b-a22b",
        "moonshotai.kimi-k2.5",
        "google.gemma-3-27b-it",
        "openai.gpt-5",
        "ab12cd34ef56",
    ] {
        assert!(ImageRule::of(family).is_none(), "{family}");
    }
}
