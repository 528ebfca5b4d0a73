//! `sentry-local keys` and `serve --keys`, from the command line to the authorizer's answer.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use sentry_core::api_key::ApiKey;
use sentry_local::{Config, Host};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sentry-local");

fn keys(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("keys").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file or folder of this test alone.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sentry-local-keys-{name}-{}", std::process::id()))
}

async fn authorize(host: &Host, key: &str) -> Result<Value, String> {
    let event = json!({
        "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/local/POST/v1/inference",
        "multiValueHeaders": {"x-api-key": [key]},
    });
    let answer = host.invoke("authorize", event).await;
    answer.map(|policy| policy["context"].clone()).map_err(|failure| failure.document().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_from_its_making_until_it_is_disabled() {
    let host = sentry_local::start(Config::default()).await.unwrap();
    let endpoint = host.url();
    let on_host = |arguments: &[&str]| keys(&[arguments, &["--endpoint-url", &endpoint]].concat());

    let added = on_host(&["add", "acme", "--model", "amazon.nova-lite-v1:0", "--expires", "9000-01-01"]);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let shown = text(&added.stdout);
    let key = ApiKey::parse(shown.trim_end()).unwrap();
    let note = text(&added.stderr);
    assert!(note.contains(key.id()) && !note.contains(shown.trim_end()), "{note}");
    let expected = json!({"tenant": "acme", "keyId": key.id(), "allowedModels": "amazon.nova-lite-v1:0"});
    assert_eq!(authorize(&host, &key.reveal()).await, Ok(expected));

    let list = text(&on_host(&["list"]).stdout);
    let row = list.lines().nth(1).unwrap();
    for part in [key.id(), "acme", "until 9000-01-01", "amazon.nova-lite-v1:0"] {
        assert!(row.contains(part), "{part} in {list}");
    }
    assert!(!list.contains(&key.reveal()[27..]), "{list}");

    // A whole key is taken for its id.
    assert!(on_host(&["disable", &key.reveal()]).status.success());
    let refused = authorize(&host, &key.reveal()).await.unwrap_err();
    assert!(refused.contains(r#""errorMessage":"Unauthorized""#), "{refused}");
    assert!(text(&on_host(&["list"]).stdout).contains("disabled"));
    host.shutdown().await;
}

#[test]
fn what_cannot_be_a_key_is_refused_with_what_to_write() {
    let past = ["add", "acme", "--expires", "2020-01-01"];
    for (arguments, code, expected) in [
        (&["add", "a b"] as &[&str], 2, "letters, digits"),
        (&["add", "acme", "--expires", "tomorrow"], 2, "2027-01-01"),
        (&past, 1, "in the past"),
        (&["add", "acme", "--model", "a,b"], 1, "no model id"),
        (&["disable", "x"], 2, "16 lower-case letters"),
        // Nothing listens there.
        (&["list", "--endpoint-url", "http://127.0.0.1:1"], 1, "sentry-keys does not answer"),
    ] {
        let output = keys(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(expected) && output.stdout.is_empty(), "{arguments:?}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_in_the_folder_of_a_host_that_does_not_run() {
    let folder = path("folder");
    let in_folder = |arguments: &[&str]| keys(&[arguments, &["--data", folder.to_str().unwrap()]].concat());
    let key = text(&in_folder(&["add", "acme"]).stdout);
    let id = ApiKey::parse(key.trim_end()).unwrap().id().to_owned();
    let list = text(&in_folder(&["list"]).stdout);
    assert!(list.contains(&id) && list.contains("good"), "{list}");
    let nobody = in_folder(&["disable", "aaaaaaaaaaaaaaaa"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("there is no key"), "{}", text(&nobody.stderr));

    // The folder has the key now, and still no limit.
    let config = Config { data: Some(folder.clone()), limits: Vec::new(), ..Config::default() };
    let host = sentry_local::start(config).await.unwrap();
    assert_eq!(authorize(&host, key.trim_end()).await.unwrap()["tenant"], "acme");
    let request = json!({"modelId": "amazon.nova-lite-v1:0", "prompt": {"messages": [{"role": "user", "content": "Why?"}]}});
    let finished = host.execute("rate-limiter", None, &request.to_string()).await.unwrap();
    assert_eq!(finished.error.as_deref(), Some("LimitNotConfigured"));
    host.shutdown().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_host_starts_with_the_keys_of_a_file_and_not_with_a_malformed_one() {
    let file = path("file.json");
    let serve = |entries: &Value| {
        std::fs::write(&file, entries.to_string()).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--port", "0", "--keys"]).arg(&file);
        command
    };
    let key = ApiKey::from_random([1; 16], [2; 32]).reveal();
    for (entries, expected) in [
        (json!([{"id": "acme", "key": "sk-sentry-secret"}]), "entry 1: `key`"),
        (json!([{"id": "a b", "key": key}]), "entry 1: `id`"),
        (json!([{"key": key}]), "`id`, the tenant, is missing"),
        (json!([{"id": "acme", "key": key, "models": []}]), "\"models\" is no field"),
        (json!([{"id": "acme", "key": key}, {"id": "b", "key": key}]), "entry 2: entry 1 has"),
        (json!({"id": "acme"}), "is not a list"),
    ] {
        let output = serve(&entries).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(expected) && !message.contains("secret\""), "{expected} in {message}");
    }

    let mut command = serve(&json!([{"id": "acme", "key": key}]));
    let mut host = Serving(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(host.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url =
        lines.into_iter().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned)).unwrap();
    let list = text(&keys(&["list", "--endpoint-url", &url]).stdout);
    assert!(list.contains("bbbbbbbbbbbbbbbb  acme"), "{list}");
    std::fs::remove_file(&file).unwrap();
}
