//! The README's commands for clients, word by word, with the real clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails fails its test"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const README: &str = include_str!("../../../README.md");
const ADDRESS: &str = "http://127.0.0.1:4577";

/// A host on a free port, ended with its test.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sentry-local"))
            .args(["serve", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned)).unwrap();
        Self { child, url }
    }

    /// Runs a code block of the README against this host, in an environment with nothing but the tools.
    fn run(&self, tools: &Path, program: &str, argument: &str, text: &str) -> Output {
        let home = std::env::temp_dir();
        let search = std::env::join_paths([tools, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        Command::new(program)
            .args([argument, &text.replace(ADDRESS, &self.url)])
            .env_clear()
            .env("PATH", search)
            .env("HOME", home)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The code block of the README that contains this.
fn block(part: &str) -> String {
    let lines: Vec<&str> = README.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("    ") && line.contains(part)).unwrap();
    let inside = |line: &&&str| line.starts_with("    ");
    let before = lines[..at].iter().rev().take_while(inside).count();
    let block: Vec<_> = lines[at - before..].iter().take_while(inside).map(|line| &line[4..]).collect();
    block.join("\n")
}

/// The folder of this tool: where `infra/tools` puts it, or on the path. On CI it must be there.
fn folder_of(tool: &str) -> Option<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/infra/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(installed)
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join(tool).is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{tool} is missing: run infra/tools");
        // Straight to the terminal: what a test prints is shown only when it fails.
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: {tool} is missing, and infra/tools installs it").unwrap();
    }
    found
}

fn printed(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn the_first_command_is_answered_and_names_the_rust_version() {
    let command = block("-- ask ");
    let arguments = command.strip_prefix("cargo run -p sentry-local -- ").unwrap();
    let program = env!("CARGO_BIN_EXE_sentry-local");
    let output = Command::new("sh").arg("-c").arg(format!("{program} {arguments}")).output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success()
            && answer.contains("your last message has 5 words")
            && answer.contains("left"),
        "{answer}"
    );
    let (before, _) = README.split_once(&command).unwrap();
    let sentence = before.trim_end().lines().last().unwrap();
    let (major, rest) = env!("CARGO_PKG_RUST_VERSION").split_once('.').unwrap();
    let minor = rest.split('.').next().unwrap();
    assert!(sentence.contains(&format!("Rust {major}.{minor} or later")), "{sentence}");
}

#[test]
fn the_command_for_the_aws_cli_works_word_by_word() {
    let Some(tools) = folder_of("aws") else { return };
    let host = Serving::start();
    let output = host.run(&tools, "bash", "-c", &block("aws stepfunctions start-sync-execution"));
    let execution: Value = serde_json::from_str(printed(&output)).unwrap();
    assert_eq!(execution["status"], "SUCCEEDED", "{execution}");
    let answer: Value = serde_json::from_str(execution["output"].as_str().unwrap()).unwrap();
    assert_eq!(answer["budget"]["input"]["used"], answer["usage"]["inputTokens"]);
    assert!(answer["message"]["content"].as_str().unwrap().contains("your last message has 1 word"));
}

#[test]
fn the_lines_for_python_work_and_raise_what_failed() {
    // boto3 comes with the AWS SAM CLI; a Python of the machine would not have it.
    let Some(tools) = folder_of("sam") else { return };
    let host = Serving::start();
    let exports = block("aws stepfunctions start-sync-execution");
    let exports: Vec<_> = exports.lines().filter(|line| line.starts_with("export")).collect();
    // Without the variable: the lines say it themselves.
    let exports = exports.join("\n").replace("AWS_DISABLE_HOST_PREFIX_INJECTION=true", "");
    let (call, check) = (block("import boto3"), block("raise RuntimeError"));
    let ask = |request: &str| {
        let script = format!(
            "{exports}\npython - <<'END'\nrequest = {request}\n{call}\n{check}\nprint(answer['stopReason'])\nEND"
        );
        host.run(&tools, "bash", "-c", &script)
    };
    let good = ask(
        r#"{"modelId": "amazon.nova-lite-v1:0", "prompt": {"messages": [{"role": "user", "content": "Hi"}]}}"#,
    );
    assert_eq!(printed(&good), "end_turn\n");
    let failed = ask("{}");
    let message = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && message.contains("RuntimeError: ('InvalidRequest'"), "{message}");
}

#[test]
fn the_lines_for_openais_client_work() {
    let Some(tools) = folder_of("sam") else { return };
    let host = Serving::start();
    let call = block("from openai import OpenAI");
    let script = format!(
        "python - <<'END'\n{call}\nprint(answer.choices[0].message.content, answer.usage.total_tokens)\nEND"
    );
    let output = host.run(&tools, "bash", "-c", &script);
    assert!(printed(&output).contains("your last message has 1 word"), "{}", printed(&output));
}

#[test]
fn the_example_of_a_tool_loop_works_out_what_it_was_asked() {
    let Some(python) = folder_of("python3") else { return };
    let host = Serving::start();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tool-loop");
    let output = Command::new(python.join("python3")).arg(example).arg(&host.url).output().unwrap();
    let text = printed(&output);
    assert!(
        text.contains("calculator returned 437; look-up returned The result of a multiplication."),
        "{text}"
    );
}

#[test]
fn the_request_of_the_readme_is_answered() {
    let request: Value = serde_json::from_str(&block("Answer in one sentence")).unwrap();
    let messages = request["prompt"]["messages"].as_array().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sentry-local"))
        .args(["ask", "--json", "--model", request["modelId"].as_str().unwrap()])
        .args(["--system", messages[0]["content"].as_str().unwrap()])
        .args(["--max-tokens", &request["inference"]["maxTokens"].to_string()])
        .arg(messages[1]["content"].as_str().unwrap())
        .output()
        .unwrap();
    let answer: Value = serde_json::from_str(printed(&output)).unwrap();
    let documented = block("\"message\": { \"role\": \"assistant\"");
    for member in answer.as_object().unwrap().keys() {
        assert!(documented.contains(&format!("\"{member}\":")), "README.md lacks {member}");
    }
}
