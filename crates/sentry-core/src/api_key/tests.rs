use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn key() -> ApiKey {
    ApiKey::from_random([7; ID_CHARS], [255; 32])
}

fn item() -> Value {
    KeyItem::new(&key(), "acme".to_owned(), at("2026-11-01T00:00:00Z")).document()
}

fn model(id: &str) -> ModelId {
    ModelId::parse(id).unwrap()
}

#[test]
fn a_key_is_read_as_it_was_shown() {
    let shown = key().reveal();
    assert_eq!(shown, format!("sk-sentry-{}-{}", "h".repeat(16), "_".repeat(42) + "8"));
    assert_eq!(ApiKey::parse(&shown), Some(key()));
    // A secret may begin with the separator.
    let other = ApiKey::from_random([0; ID_CHARS], [0xfb; 32]);
    assert!(other.reveal().contains("aaaa--"), "{}", other.reveal());
    assert_eq!(ApiKey::parse(&other.reveal()), Some(other));
}

#[test]
fn a_text_in_another_form_is_no_key() {
    let good = key().reveal();
    let id = "a".repeat(16);
    for text in [
        "",
        "sk-sentry-",
        &good[1..],
        &good[..good.len() - 1],
        &format!("{good}x"),
        &format!(" {good}"),
        &good.to_uppercase(),
        &good.replace("-h", "-H"),
        &format!("sk-sentry-{id}_{}", "a".repeat(43)),
        &format!("sk-sentry-{id}-{}=", "a".repeat(42)),
        &format!("sk-sentry-{id}-{}é", "a".repeat(41)),
        &format!("sk-sentry-{}é-{}", "a".repeat(15), "a".repeat(43)),
    ] {
        assert_eq!(ApiKey::parse(text), None, "{text:?}");
    }
}

#[test]
fn the_secret_does_not_show_in_the_debug_form() {
    let text = format!("{:?}", key());
    assert!(text.contains(key().id()) && !text.contains("____"), "{text}");
}

/// Stored digests must stay valid with every later version.
#[test]
fn the_digest_is_sha_256_of_the_domain_the_id_and_the_secret() {
    let expected = Sha256::digest(
        [b"bedrock-cost-sentry api key v1\0".as_slice(), &[b'h'; 16], &[0], &[b'_'; 42], b"8"].concat(),
    );
    assert_eq!(key().digest().as_slice(), expected.as_slice());
}

#[test]
fn only_the_key_itself_matches_what_is_stored() {
    let stored = key().digest();
    assert!(key().matches(Some(&stored)));
    assert!(!key().matches(None));
    // A stored digest of zeros is what an unknown id is compared with.
    assert!(!key().matches(Some(&[0; 32])));
    assert!(!ApiKey::from_random([7; ID_CHARS], [254; 32]).matches(Some(&stored)));
    assert!(!ApiKey::from_random([8; ID_CHARS], [255; 32]).matches(Some(&stored)));
}

#[test]
fn a_tenant_has_an_alphabet_that_needs_no_escaping() {
    for good in ["a", "A.b_c-9", &"x".repeat(64)] {
        assert!(is_tenant(good), "{good}");
    }
    for wrong in ["", &"x".repeat(65), "a b", "a/b", "a\"", "é", "a\n", "$x", "a'"] {
        assert!(!is_tenant(wrong), "{wrong:?}");
    }
}

#[test]
fn an_item_is_read_as_it_was_written() {
    let mut written = KeyItem::new(&key(), "acme".to_owned(), at("2026-11-01T00:00:00Z"));
    assert_eq!(KeyItem::read(&written.document()), Ok(written.clone()));
    written.expires_at = Some(at("2027-01-01T00:00:00Z"));
    written.disabled = true;
    written.allowed_models = Some(AllowedModels::new(vec!["amazon.nova-lite-v1:0".to_owned()]).unwrap());
    assert_eq!(KeyItem::read(&written.document()), Ok(written));
}

#[test]
fn a_malformed_item_is_named_with_its_attribute() {
    for (attribute, value) in [
        ("keyId", json!("SHORT")),
        ("tenant", json!("a b")),
        ("tenant", json!(7)),
        ("tenant", json!("")),
        ("hash", json!("abc")),
        ("hash", json!("not base64!")),
        ("createdAt", json!("yesterday")),
        ("expiresAt", json!("2027-01-01")),
        ("expiresAt", Value::Null),
        ("disabled", json!("false")),
        ("allowedModels", json!([])),
        ("allowedModels", json!("amazon.nova-lite-v1:0")),
        ("allowedModels", json!(["a,b"])),
        ("allowedModels", json!([1])),
        ("allowedModels", json!(vec!["amazon.nova-lite-v1:0"; 1_000])),
        ("disable", json!(true)),
    ] {
        let mut item = item();
        item[attribute] = value.clone();
        let error = KeyItem::read(&item).unwrap_err();
        assert_eq!(error.attribute, attribute, "{value}: {error}");
    }
    for attribute in ["keyId", "tenant", "hash", "createdAt"] {
        let mut item = item();
        item.as_object_mut().unwrap().remove(attribute);
        assert_eq!(KeyItem::read(&item).unwrap_err().attribute, attribute);
    }
    for nothing in [Value::Null, json!([]), json!("x")] {
        assert_eq!(KeyItem::read(&nothing).unwrap_err().attribute, "keyId");
    }
}

#[test]
fn a_key_admits_until_it_expires_or_is_disabled() {
    let mut item = KeyItem::read(&item()).unwrap();
    let end = at("2026-12-01T00:00:00Z");
    assert_eq!(item.admits(end, None), Ok(()));
    item.expires_at = Some(end);
    assert_eq!(item.admits(at("2026-11-30T23:59:59Z"), None), Ok(()));
    assert_eq!(item.admits(end, None), Err(KeyRefusal::Expired));
    item.disabled = true;
    assert_eq!(item.admits(at("2026-11-30T23:59:59Z"), None), Err(KeyRefusal::Disabled));
}

#[test]
fn a_key_may_be_for_some_models_by_id_or_by_family() {
    let mut item = KeyItem::read(&item()).unwrap();
    let now = item.created_at;
    assert_eq!(item.admits(now, Some(&model("us.amazon.nova-lite-v1:0"))), Ok(()));
    let models = ["us.anthropic.claude-sonnet-4-6", "amazon.nova-lite-v1:0"].map(str::to_owned).to_vec();
    item.allowed_models = Some(AllowedModels::new(models).unwrap());
    for allowed in ["us.anthropic.claude-sonnet-4-6", "amazon.nova-lite-v1:0", "eu.amazon.nova-lite-v1:0"] {
        assert_eq!(item.admits(now, Some(&model(allowed))), Ok(()), "{allowed}");
    }
    for other in ["eu.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6", "amazon.nova-pro-v1:0"] {
        assert_eq!(item.admits(now, Some(&model(other))), Err(KeyRefusal::ModelNotAllowed), "{other}");
    }
    // What the model is may not be known yet.
    assert_eq!(item.admits(now, None), Ok(()));
}

#[test]
fn allowed_models_are_joined_for_the_context_and_read_back() {
    let models = AllowedModels::new(vec!["a.b:0".to_owned(), "arn:aws:bedrock:x/y".to_owned()]).unwrap();
    assert_eq!(models.joined(), "a.b:0,arn:aws:bedrock:x/y");
    assert_eq!(AllowedModels::from_joined(&models.joined()), Ok(models));
    assert!(AllowedModels::from_joined("").is_err());
}

proptest! {
    #[test]
    fn every_random_key_is_well_formed_and_its_own(id: [u8; ID_CHARS], secret: [u8; 32], other: [u8; 32]) {
        let key = ApiKey::from_random(id, secret);
        prop_assert_eq!(ApiKey::parse(&key.reveal()), Some(key.clone()));
        prop_assert!(key.matches(Some(&key.digest())));
        prop_assert_eq!(ApiKey::from_random(id, other).matches(Some(&key.digest())), secret == other);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,80}", tail in "[a-zA-Z0-9_-]{40,46}") {
        let _ = ApiKey::parse(&text);
        let _ = ApiKey::parse(&format!("sk-sentry-{text}-{tail}"));
    }
}
