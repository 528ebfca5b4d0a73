mod known;
mod vision;

use proptest::prelude::*;

use super::*;
use known::{CHAT, REFUSED};

fn refused(id: &str) -> String {
    let ModelError::Unsupported { model_id, message } = ModelId::parse(id).unwrap_err();
    assert!(id.starts_with(&model_id));
    assert!(message.ends_with('.'), "{message}");
    message
}

fn family(id: &str) -> String {
    ModelId::parse(id).unwrap().family
}

#[test]
fn every_known_chat_model_is_understood_under_each_of_its_names() {
    for (name, calling, geos) in CHAT {
        let bare = ModelId::parse(name).unwrap();
        assert_eq!((bare.family.as_str(), bare.calling, bare.opaque), (*name, *calling, false), "{name}");
        assert_ne!(bare.vendor, Some(Vendor::Other), "{name}");
        let ids = bare.cloudwatch_ids();
        for geo in *geos {
            let id = format!("{geo}.{name}");
            let profile = ModelId::parse(&id).unwrap();
            assert_eq!(
                (profile.family.as_str(), profile.vendor, profile.calling),
                (*name, bare.vendor, *calling),
                "{id}"
            );
            assert!(ids.contains(&id), "{id}");
            assert_eq!(
                family(&format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{id}")),
                *name
            );
        }
        assert_eq!(family(&format!("arn:aws:bedrock:eu-west-1::foundation-model/{name}")), *name);
    }
}

#[test]
fn every_known_model_that_does_not_chat_is_refused_with_a_reason() {
    for id in REFUSED {
        let message = refused(id);
        let family = names::without_geo(id);
        assert!(message.starts_with(family), "{message}");
    }
    assert!(refused("amazon.titan-embed-text-v2:0").contains("embeddings"));
    assert!(refused("us.stability.stable-image-ultra-v1:1").contains("images"));
    assert!(refused("cohere.rerank-v3-5:0").contains("ranks"));
    assert!(refused("openai.gpt-oss-120b").contains("bedrock-mantle"));
    assert!(refused("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-sonic-v1:0").contains("stream"));
}

#[test]
fn context_lengths_are_names_of_the_same_model() {
    for (name, suffixes) in CONTEXTS {
        let ids = ModelId::parse(name).unwrap().cloudwatch_ids();
        for suffix in *suffixes {
            let id = format!("{name}:{suffix}");
            assert_eq!(family(&id), *name, "{id}");
            assert!(ids.contains(&id));
        }
    }
    assert_eq!(family("anthropic.claude-v2:1:200k"), "anthropic.claude-v2:1");
    assert_eq!(family("anthropic.claude-v2:1"), "anthropic.claude-v2:1");
    assert_eq!(family("us.amazon.nova-pro-v1:0:300k"), "amazon.nova-pro-v1:0");
}

#[test]
fn dots_in_a_name_are_no_prefix() {
    for id in ["deepseek.v3.2", "minimax.minimax-m2.1", "openai.gpt-6.1-sol"] {
        assert_eq!(family(id), id);
        assert_eq!(family(&format!("us.{id}")), id);
    }
    // A geographic prefix counts once.
    refused("us.eu.some-model");
}

/// As a family of its own, a model under a prefix that is not known would have another budget.
#[test]
fn a_prefix_that_is_not_known_is_refused_by_name() {
    for id in [
        "sa.anthropic.claude-sonnet-4-6",
        "sa.anthropic.claude-haiku-4-5-20251001-v1:0:200k",
        "africa.moonshotai.kimi-k2.5",
        "me-central.deepseek.v3.2",
        "sa.minimax.minimax-m2.1",
        "oceania.stability.sd3-5-large-v1:0",
        "arn:aws:bedrock:sa-east-1:123456789012:inference-profile/sa.amazon.nova-2-lite-v1:0",
    ] {
        let message = refused(id);
        assert!(message.contains("geographic prefix") && message.contains("us, eu, apac"), "{id}: {message}");
    }
    assert!(refused("sa.anthropic.claude-sonnet-4-6").contains("\"sa\""));
    // Dots in the names of known vendors and of vendors that are not known are no prefix.
    for id in [
        "newvendor.model-1-v1:0",
        "newvendor.model.anthropic",
        "newvendor.v3.2",
        "openai.gpt-6.1-sol",
        "qwen.anthropic.x-1",
        "zz.qwen",
    ] {
        assert_eq!(family(id), id);
    }
    assert_eq!(family("us.newvendor.model-2.5"), "newvendor.model-2.5");
}

#[test]
fn every_template_row_is_met_by_a_known_model() {
    for row in TEMPLATES {
        assert!(row.source.ends_with('.') && row.per_message >= 16);
        for prefix in row.prefixes {
            let met =
                CHAT.iter().any(|(name, ..)| name.starts_with(prefix) && PromptTemplate::of(name) == row);
            assert!(met, "{prefix} is hidden by an earlier row or begins no known model");
        }
        let rows = [row.always, row.without_system, row.per_message];
        assert!(
            rows.iter()
                .zip([UNKNOWN_TEMPLATE.always, UNKNOWN_TEMPLATE.without_system, UNKNOWN_TEMPLATE.per_message])
                .all(|(known, unknown)| *known <= unknown),
            "{row:?} is more than what is assumed where nothing is known"
        );
    }
    assert_eq!(*ModelId::parse("ab12cd34ef56").unwrap().template(), UNKNOWN_TEMPLATE);
    assert_eq!(*ModelId::parse("us.newvendor.x").unwrap().template(), UNKNOWN_TEMPLATE);
    assert_eq!(ModelId::parse("us.anthropic.claude-sonnet-5").unwrap().template().always, 0);
}

#[test]
fn a_vendor_of_tomorrow_goes_through_converse() {
    let model = ModelId::parse("eu.newvendor.model-1-v1:0").unwrap();
    assert_eq!(model.family, "newvendor.model-1-v1:0");
    assert_eq!((model.vendor, model.calling), (Some(Vendor::Other), InvocationMode::Converse));
}

#[test]
fn opaque_ids_say_so_and_count_by_their_short_id() {
    let account = "arn:aws:bedrock:us-east-1:123456789012:";
    for (id, short) in [
        (format!("{account}application-inference-profile/ab12cd34ef56"), "ab12cd34ef56"),
        (format!("{account}provisioned-model/p0p1p2p3p4p5"), "p0p1p2p3p4p5"),
        (format!("{account}custom-model/amazon.nova-lite-v1:0/c0c1c2c3c4c5"), "c0c1c2c3c4c5"),
        (format!("{account}custom-model-deployment/d0d1d2d3d4d5"), "d0d1d2d3d4d5"),
        (format!("{account}imported-model/i0i1i2i3i4i5"), "i0i1i2i3i4i5"),
        (
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:imported-model/i0i1i2i3i4i5".to_owned(),
            "i0i1i2i3i4i5",
        ),
        ("x0x1x2x3x4x5".to_owned(), "x0x1x2x3x4x5"),
    ] {
        let model = ModelId::parse(&id).unwrap();
        assert_eq!((model.family.as_str(), model.vendor, model.opaque), (short, None, true), "{id}");
        assert_eq!(
            (model.calling, model.cloudwatch_ids()),
            (InvocationMode::Converse, vec![short.to_owned()])
        );
    }
}

#[test]
fn what_is_no_model_id_is_refused() {
    let long = "a".repeat(2_049);
    for id in [
        "",
        " ",
        "does-not-exist",
        "claude",
        "us.anthropic",
        "us.",
        ".model",
        "anthropic.",
        "anthropic..claude",
        "a.b:",
        "a.b::c",
        "Anthropic.claude-v2",
        "anthropic.Claude-v2",
        "anthropic.claude v2",
        "anthropic.claude/v2",
        "anthropic.claude@1",
        "ä.b",
        "arn:",
        "arn:aws:bedrock",
        "arn:aws:s3:::bucket/key",
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/x",
        "arn:aws:bedrock:us-east-1:123456789012:prompt-router/abc",
        "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc",
        "arn:aws:bedrock:us-east-1::foundation-model/",
        "arn:aws:bedrock:us-east-1::foundation-model/us.anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:us-east-1:12:inference-profile/us.anthropic.claude-sonnet-4-6",
        "arn:evil:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a/b/c",
        &long,
    ] {
        refused(id);
    }
}

#[test]
fn tables_have_no_row_that_cannot_be_reached() {
    for (index, route) in ROUTES.iter().enumerate() {
        for prefix in route.prefixes {
            let first = ROUTES.iter().position(|other| other.prefixes.iter().any(|p| prefix.starts_with(p)));
            assert_eq!(first, Some(index), "{prefix} is hidden by an earlier row");
        }
        assert!(route.reason.ends_with('.'));
        for example in route.examples {
            assert_eq!(ModelId::parse(example).unwrap().route(), route, "{example}");
        }
    }
    for vendor in Vendor::ALL {
        assert!(ROUTES.iter().any(|route| route.vendor == *vendor), "{vendor} has no row");
        assert_eq!(Vendor::of_family(&format!("{vendor}.x")), *vendor);
    }
}

proptest! {
    #[test]
    fn any_text_is_an_id_or_a_named_refusal(id in "\\PC{0,80}") {
        let _ = ModelId::parse(&id);
    }

    #[test]
    fn any_text_of_the_right_letters_is_an_id_or_a_refusal(id in "(arn:aws:bedrock:[a-z0-9-]{0,9}:[0-9]{0,12}:)?[a-z0-9:./-]{0,60}") {
        if let Ok(model) = ModelId::parse(&id) {
            prop_assert_eq!(model.id, id);
            prop_assert!(!model.family.is_empty());
        }
    }

    /// All the names of one model have one family, and the family is a name of itself.
    #[test]
    fn names_of_one_model_share_a_family(
        vendor in prop::sample::select(Vendor::ALL),
        model in "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5}){0,3}(\\.[0-9])?",
        version in prop::option::of("-v[0-9](:[0-9])?"),
        geo in prop::sample::select(GEOS),
        length in prop::option::of("[1-9][0-9]{0,3}k"),
    ) {
        let name = format!("{vendor}.{model}{}", version.as_deref().unwrap_or_default());
        let Ok(bare) = ModelId::parse(&name) else { return Ok(()) };
        prop_assert_eq!(&bare.family, &name);
        let suffix = length.map(|length| format!(":{length}")).unwrap_or_default();
        for id in [
            format!("{name}{suffix}"),
            format!("{geo}.{name}"),
            format!("{geo}.{name}{suffix}"),
            format!("arn:aws:bedrock:us-east-1::foundation-model/{name}{suffix}"),
            format!("arn:aws-cn:bedrock:cn-north-1:123456789012:inference-profile/{geo}.{name}"),
        ] {
            let model = ModelId::parse(&id).unwrap();
            prop_assert_eq!(&model.family, &name, "{}", id);
            prop_assert_eq!((model.vendor, model.calling), (bare.vendor, bare.calling));
        }
        let profile = format!("{geo}.{name}");
        prop_assert!(bare.cloudwatch_ids().contains(&profile));
    }
}

#[test]
fn a_window_is_known_for_every_family_and_no_smaller_than_its_ids_say() {
    assert!(WINDOWS.is_sorted_by(|row, next| row.0 < next.0), "sorted by family, each once");
    for (family, tokens) in WINDOWS {
        assert_eq!(ModelId::parse(family).unwrap().family, *family);
        assert!((4_096..=12_000_000).contains(tokens), "{family}");
    }
    // An id with a context length says what the model takes.
    for (family, suffixes) in CONTEXTS {
        let Some(window) = context_window(family) else { continue };
        for suffix in *suffixes {
            let length = suffix.rsplit(':').next().unwrap();
            let thousands = length.strip_suffix('k').map_or(0, |digits| digits.parse::<u64>().unwrap());
            assert!(window >= thousands * 1_000, "{family}:{suffix}");
        }
    }
    // The sources write 128,000 for 131,072; a header enlarges the window of Sonnet 4 and 4.5.
    assert_eq!(context_window("meta.llama3-3-70b-instruct-v1:0"), Some(131_072));
    assert!(context_window("anthropic.claude-sonnet-4-5-20250929-v1:0").unwrap() >= 1_000_000);
    assert!(context_window("anthropic.claude-sonnet-4-20250514-v1:0").unwrap() >= 1_000_000);
    assert_eq!(context_window("example.unknown"), None);
}

#[test]
fn only_vendors_that_need_a_cache_point_write_no_cache_unasked() {
    let asked: Vec<_> = Vendor::ALL.iter().filter(|vendor| !vendor.writes_to_caches_unasked()).collect();
    assert_eq!(asked, [&Vendor::Anthropic, &Vendor::Amazon]);
    assert!(Vendor::Other.writes_to_caches_unasked());
}
