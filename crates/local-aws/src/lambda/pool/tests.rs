use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{KillPoint, Pool, PoolConfig, PoolError};
use crate::lambda::pool::InvokeError;

/// A function in bash, which is everywhere. What it does is in the payload; how it starts
/// depends on its name. With `gate`, it connects to that port, says its label and its
/// process ID, and goes on when it is sent a line.
const BOOTSTRAP: &str = r#"#!/usr/bin/env bash
LC_ALL=C
api=$AWS_LAMBDA_RUNTIME_API
call() {
  exec 3<>"/dev/tcp/${api%:*}/${api##*:}" || exit 99
  printf '%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
    "$1" "$2" "$api" "${#3}" "$3" >&3
  id= deadline= arn= trace= length=0 body=
  read -r -u 3 status
  while IFS= read -r -u 3 line; do
    line=${line%$'\r'}
    case ${line,,} in
      '') break ;;
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      lambda-runtime-deadline-ms:*) deadline=${line#*: } ;;
      lambda-runtime-invoked-function-arn:*) arn=${line#*: } ;;
      lambda-runtime-trace-id:*) trace=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
  done
  if ((length > 0)); then IFS= read -r -u 3 -N "$length" body; fi
  exec 3>&-
}
case $AWS_LAMBDA_FUNCTION_NAME in
  never-ready) echo x >>"$COUNT_FILE"; echo 'no table is named' >&2; exit 3 ;;
  init-error) call POST init/error '{"errorType":"Runtime.Config","errorMessage":"LIMITS_TABLE is missing"}'; read -r <"/dev/tcp/${api%:*}/${api##*:}" ;;
esac
while :; do
  call GET invocation/next
  request=$id
  if [[ $body =~ \"gate\":([0-9]+) ]]; then
    exec 4<>"/dev/tcp/127.0.0.1/${BASH_REMATCH[1]}"
    [[ $body =~ \"label\":\"([a-z]*)\" ]]
    echo "${BASH_REMATCH[1]} $$" >&4
    read -r -u 4 line
    exec 4>&-
  fi
  case $body in
    *'"fail"'*) call POST "invocation/$request/error" '{"errorType":"InvalidRequest","errorMessage":"{\"message\":\"no\"}"}' ;;
    *'"exit"'*) echo 'out of order' >&2; exit 7 ;;
    *'"garbage"'*) call POST "invocation/$request/response" 'not json' ;;
    *'"wrong-id"'*)
      call POST invocation/other/response '{}'
      call POST "invocation/$request/response" "{\"status\":\"${status%$'\r'}\"}" ;;
    *'"last"'*) call POST "invocation/$request/response" "{\"pid\":$$}"; exit 0 ;;
    *) call POST "invocation/$request/response" "{\"pid\":$$,\"echo\":$body,\"id\":\"$request\",\"deadline\":$deadline,\"arn\":\"$arn\",\"trace\":\"$trace\",\"env\":\"$(env | cut -d= -f1 | sort | tr '\n' ' ')\",\"given\":\"$GIVEN\"}" ;;
  esac
done
"#;

/// A directory with the executables, beside the test's own. They are written before the
/// first child is started, as a file that is open for writing cannot be executed, and put
/// into place at once, as another process may run the same tests.
fn directory() -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| {
            let base = std::env::current_exe().unwrap().with_file_name("pool-test-functions");
            for (name, mode) in [
                ("worker/bootstrap", 0o755),
                ("never-ready/bootstrap", 0o755),
                ("init-error/bootstrap", 0o755),
                ("plain", 0o644),
            ] {
                let file = base.join(name);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                let new = base.join(format!("new-{}", std::process::id()));
                std::fs::write(&new, BOOTSTRAP).unwrap();
                std::fs::set_permissions(&new, PermissionsExt::from_mode(mode)).unwrap();
                std::fs::rename(new, file).unwrap();
            }
            base
        })
        .clone()
}

fn config(name: &str) -> PoolConfig {
    PoolConfig::new(directory(), vec![name.to_owned()])
}

async fn worker() -> Pool {
    Pool::start(config("worker")).await.unwrap()
}

fn exists(pid: &Value) -> bool {
    let status = Command::new("bash").arg("-c").arg(format!("kill -0 {pid} 2>&-")).status();
    status.unwrap().success()
}

/// Where gated functions come to wait.
struct Gate(TcpListener);

impl Gate {
    async fn new() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    fn payload(&self, label: &str) -> Value {
        json!({ "gate": self.0.local_addr().unwrap().port(), "label": label })
    }

    /// The label and the process ID of the next function that waits, and the way to let it go.
    async fn next(&self) -> (String, Value, TcpStream) {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut line = String::new();
        BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
        let (label, pid) = line.trim().split_once(' ').unwrap();
        (label.to_owned(), pid.parse().unwrap(), stream)
    }
}

fn crash(result: Result<Value, InvokeError>) -> String {
    match result {
        Err(InvokeError::Crashed(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_invocation_is_answered_by_a_child_that_is_used_again() {
    let mut config = config("worker");
    config.environment = vec![("GIVEN".to_owned(), "yes".to_owned())];
    let pool = Pool::start(config).await.unwrap();
    let first = pool.invoke("worker", json!({ "a": "ä\n" })).await.unwrap();
    let second = pool.invoke("worker", json!({ "b": [1.5, null] })).await.unwrap();
    assert_eq!(first["echo"], json!({ "a": "ä\n" }));
    assert_eq!(second["echo"], json!({ "b": [1.5, null] }));
    assert_eq!(first["pid"], second["pid"]);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["id"].as_str().unwrap().len(), 36);
    assert_eq!(first["arn"], "arn:aws:lambda:us-east-1:000000000000:function:worker");
    assert!(first["trace"].as_str().unwrap().starts_with("Root=1-"));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let left = u128::from(first["deadline"].as_u64().unwrap()).saturating_sub(now);
    assert!((1..=15_000).contains(&left), "{left}");
    assert_eq!(first["given"], "yes");
    let names: Vec<_> = first["env"].as_str().unwrap().split(' ').collect();
    assert!(names.contains(&"AWS_SECRET_ACCESS_KEY") && names.contains(&"PATH"), "{names:?}");
    assert!(!names.contains(&"HOME") && !names.contains(&"CARGO"), "{names:?}");
    pool.shutdown().await;
}

#[tokio::test]
async fn an_error_of_the_function_keeps_its_name_and_its_child() {
    let pool = worker().await;
    let pid = pool.invoke("worker", json!({})).await.unwrap()["pid"].clone();
    assert_eq!(
        pool.invoke("worker", json!("fail")).await,
        Err(InvokeError::Function {
            error_type: "InvalidRequest".to_owned(),
            error_message: r#"{"message":"no"}"#.to_owned(),
        })
    );
    let garbage = pool.invoke("worker", json!("garbage")).await;
    assert!(
        matches!(&garbage, Err(InvokeError::Function { error_type, .. }) if error_type == "Runtime.InvalidResponse"),
        "{garbage:?}"
    );
    let status = pool.invoke("worker", json!("wrong-id")).await.unwrap();
    assert_eq!(status, json!({ "status": "HTTP/1.1 400 Bad Request" }));
    assert_eq!(pool.invoke("worker", json!({})).await.unwrap()["pid"], pid);
    assert_eq!(pool.invoke("other", json!({})).await, Err(InvokeError::Unknown));
    pool.shutdown().await;
}

#[tokio::test]
async fn a_child_that_exits_in_an_invocation_has_crashed() {
    let pool = worker().await;
    let before = pool.invoke("worker", json!({})).await.unwrap();
    let message = crash(pool.invoke("worker", json!("exit")).await);
    assert!(message.starts_with("RequestId: "), "{message}");
    assert!(message.ends_with(" Error: Runtime exited with error: exit status 7\nout of order"), "{message}");
    let after = pool.invoke("worker", json!({})).await.unwrap();
    assert_ne!(before["pid"], after["pid"]);
    pool.shutdown().await;
}

#[tokio::test]
async fn a_child_that_exits_while_idle_is_not_noticed() {
    let pool = worker().await;
    for _ in 0..5 {
        let last = pool.invoke("worker", json!("last")).await.unwrap();
        let next = pool.invoke("worker", json!({})).await.unwrap();
        assert_ne!(last["pid"], next["pid"]);
    }
    pool.shutdown().await;
}

#[tokio::test]
async fn a_child_can_be_killed_before_and_after_its_work() {
    let pool = worker().await;
    let gate = Gate::new().await;
    let (result, pid) =
        tokio::join!(pool.invoke_and_kill_at("worker", gate.payload("a"), KillPoint::OnAnswer), async {
            let (_, pid, mut stream) = gate.next().await;
            stream.write_all(b"\n").await.unwrap();
            pid
        });
    let message = crash(result);
    assert!(message.ends_with("Runtime exited with error: signal: killed"), "{message}");
    assert!(!exists(&pid));
    // The gate stays closed, so the function does not finish.
    let early = pool.invoke_and_kill_at("worker", gate.payload("b"), KillPoint::OnReceipt).await;
    assert!(crash(early).ends_with("signal: killed"));
    assert!(pool.invoke("worker", json!({})).await.is_ok());
    pool.shutdown().await;
}

#[tokio::test]
async fn a_function_that_never_gets_ready_is_not_started_again_at_once() {
    let count = directory().join(format!("count-{}", std::process::id()));
    let mut config = config("never-ready");
    config.environment = vec![("COUNT_FILE".to_owned(), count.display().to_string())];
    let pool = Pool::start(config).await.unwrap();
    let began = Instant::now();
    let first = crash(pool.invoke("never-ready", json!({})).await);
    assert_eq!(
        first,
        "the function never-ready could not be initialised: \
         Runtime exited with error: exit status 3\nno table is named"
    );
    let second = crash(pool.invoke("never-ready", json!({})).await);
    assert_eq!(second, first);
    let starts = std::fs::read_to_string(&count).unwrap();
    std::fs::remove_file(count).unwrap();
    // On a machine so slow that the pause is over, a second start is right.
    assert!(starts == "x\n" || began.elapsed() >= Duration::from_secs(1), "{starts}");
    pool.shutdown().await;
}

#[tokio::test]
async fn an_error_reported_while_starting_is_passed_on() {
    let pool = Pool::start(config("init-error")).await.unwrap();
    let message = crash(pool.invoke("init-error", json!({})).await);
    assert_eq!(
        message,
        "the function init-error could not be initialised: \
         Runtime.Config: LIMITS_TABLE is missing"
    );
    pool.shutdown().await;
}

#[tokio::test]
async fn an_invocation_that_takes_too_long_ends_with_its_child() {
    let mut config = config("worker");
    config.timeout = Duration::from_millis(750);
    let pool = Pool::start(config).await.unwrap();
    let gate = Gate::new().await;
    let (result, (_, pid, _stream)) = tokio::join!(pool.invoke("worker", gate.payload("a")), gate.next());
    let Err(InvokeError::TimedOut(message)) = result else { panic!("{result:?}") };
    assert!(message.ends_with(" Task timed out after 0.75 seconds"), "{message}");
    assert!(!exists(&pid));
    assert!(pool.invoke("worker", json!({})).await.is_ok());
    pool.shutdown().await;
}

#[tokio::test]
async fn invocations_beyond_the_concurrency_wait_their_turn() {
    let mut config = config("worker");
    config.concurrency = 2;
    let pool = Pool::start(config).await.unwrap();
    let gate = Gate::new().await;
    let invoke = |label| pool.invoke("worker", gate.payload(label));
    let watch = async {
        let (first, second) = (gate.next().await, gate.next().await);
        let mut pids = vec![first.1, second.1];
        let mut open = vec![first.2, second.2];
        let mut order = Vec::new();
        while let Some(mut stream) = open.pop() {
            stream.write_all(b"\n").await.unwrap();
            if order.len() < 3 {
                let (label, pid, stream) = gate.next().await;
                assert!(pids.contains(&pid), "a third child");
                pids.push(pid);
                order.push(label);
                open.push(stream);
            }
        }
        order
    };
    let (a, b, c, d, e, order) = tokio::join!(
        biased;
        invoke("a"), invoke("b"), invoke("c"), invoke("d"), invoke("e"), watch
    );
    assert_eq!(order, ["c", "d", "e"]);
    for (label, result) in ["a", "b", "c", "d", "e"].into_iter().zip([a, b, c, d, e]) {
        assert_eq!(result.unwrap()["echo"]["label"], label);
    }
    pool.shutdown().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_end_the_function() {
    let mut config = config("worker");
    config.concurrency = 1;
    let pool = Pool::start(config).await.unwrap();
    let gate = Gate::new().await;
    let (_, pid, mut stream) = tokio::select! {
        waiting = gate.next() => waiting,
        result = pool.invoke("worker", gate.payload("a")) => panic!("{result:?}"),
    };
    // The next one can only get the same child when the first has come to its end.
    let (next, ()) = tokio::join!(biased; pool.invoke("worker", json!({})), async {
        stream.write_all(b"\n").await.unwrap();
    });
    assert_eq!(next.unwrap()["pid"], pid);
    pool.shutdown().await;
}

#[tokio::test]
async fn no_process_is_left_after_a_shutdown() {
    let mut config = config("worker");
    config.concurrency = 2;
    let pool = Pool::start(config).await.unwrap();
    let gate = Gate::new().await;
    let invoke = |label| pool.invoke("worker", gate.payload(label));
    let (a, b, c, pids) = tokio::join!(biased; invoke("a"), invoke("b"), invoke("c"), async {
        let (first, mut second) = (gate.next().await, gate.next().await);
        // The third takes the place of the second, and the first stays as it is.
        second.2.write_all(b"\n").await.unwrap();
        let third = gate.next().await;
        pool.shutdown().await;
        [first.1, second.1, third.1]
    });
    let results = [a, b, c];
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results {
        if result.is_err() {
            assert!(crash(result).contains("shut down"));
        }
    }
    assert!(pids.iter().all(|pid| !exists(pid)));
    assert!(crash(pool.invoke("worker", json!({})).await).contains("shut down"));
    pool.shutdown().await;
}

#[tokio::test]
async fn idle_children_end_with_the_pool() {
    let pool = worker().await;
    let pid = pool.invoke("worker", json!({})).await.unwrap()["pid"].clone();
    assert!(exists(&pid));
    pool.shutdown().await;
    assert!(!exists(&pid));
}

#[tokio::test]
async fn executables_are_checked_at_the_start() {
    let mut config = config("absent");
    config.functions.extend(["worker".to_owned(), "lost".to_owned()]);
    let error = Pool::start(config).await.unwrap_err();
    let dir = directory().display().to_string();
    assert_eq!(
        error.to_string(),
        format!(
            "no executable for the functions absent, lost: looked for {dir}/absent/bootstrap and {dir}/absent, \
             {dir}/lost/bootstrap and {dir}/lost; build with `cargo build --release --bin absent --bin lost` \
             and give `target/release` as the directory of the functions"
        )
    );
    let error = Pool::start(self::config("plain")).await.unwrap_err();
    assert!(matches!(error, PoolError::NotExecutable { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("{dir}/plain is not executable")), "{error}");
    let mut config = self::config("worker");
    config.concurrency = 0;
    assert!(matches!(Pool::start(config).await, Err(PoolError::NoConcurrency)));
}
