//! `demo`: sends 200 requests at once at a budget for ten, and shows how many are admitted, waiting
//! and refused, and how much is spent.

mod picture;
#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use asl::Status;
use sentry_aws::{Connection, LedgerTable, WriteLedger as _};
use sentry_core::ledger::{ItemKey, LedgerOutcome};
use sentry_core::limit::Dimension;
use sentry_core::money::{TokenUsage, usd};
use sentry_core::month::Period;
use sentry_core::price::Listed;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::names::{LEDGER_TABLE, RATE_LIMITER};
use crate::output::{self, line};
use crate::{Config, Finished, Host};
use picture::{Moment, bar, headline, short, verdict};

const MODEL: &str = "us.anthropic.claude-sonnet-4-6";
const FAMILY: &str = "anthropic.claude-sonnet-4-6";
const REQUESTS: u64 = 200;
const BUDGETED: u64 = 10;
/// What the model reads and writes for each request.
const READS: u64 = 100;
const WRITES: u64 = 500;
/// How often the picture is redrawn.
const REDRAW: Duration = Duration::from_millis(100);
/// How often a line is added where nothing can be drawn.
const REPORT: Duration = Duration::from_millis(500);

/// The requests that have ended, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Endings {
    answered: u64,
    /// Those of the answered ones whose output limit was shortened to what was left.
    shortened: u64,
    refused: u64,
    failed: u64,
}

impl Endings {
    fn add(&mut self, finished: &Finished) {
        match (finished.status, finished.error.as_deref()) {
            (Status::Succeeded, _) => {
                self.answered += 1;
                let output = finished.output.as_deref().unwrap_or_default();
                let output: Value = serde_json::from_str(output).unwrap_or_default();
                self.shortened += u64::from(output["maxTokensShrunk"] == true);
            }
            (_, Some("BudgetExceeded" | "BudgetBusy")) => self.refused += 1,
            _ => self.failed += 1,
        }
    }
}

pub(super) async fn run() -> Result<ExitCode, String> {
    let listed = Listed::of(FAMILY).ok_or_else(|| format!("{FAMILY} has no price"))?;
    let usage = TokenUsage { input_tokens: READS, output_tokens: WRITES, ..TokenUsage::default() };
    let budget = listed.prices.standard.rates().cost(&usage) * BUDGETED;
    let config = Config {
        limits: vec![json!({"modelId": FAMILY, "limit": {"costUsd": usd(budget)}})],
        ..Config::default()
    };
    let host = Arc::new(crate::start(config).await.map_err(|error| error.to_string())?);
    let watched = watch(&host, budget).await;
    if let Some(host) = Arc::into_inner(host) {
        host.shutdown().await;
    }
    let moment = watched.map_err(|error| format!("standard output cannot be written: {error}"))?;
    Ok(if moment.budget_holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends the requests and draws until the last of them has ended.
async fn watch(host: &Arc<Host>, budget: u64) -> std::io::Result<Moment> {
    let live = std::io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
    line(&headline(REQUESTS, BUDGETED, budget))?;
    let ledger = LedgerTable::new(&Connection::local(&host.url()).await, LEDGER_TABLE.to_owned());
    let item = ItemKey::new(Period::of(chrono::Utc::now()), FAMILY);
    let endings = Arc::new(Mutex::new(Endings::default()));
    let started = Instant::now();
    let mut requests = send_all(host, &endings);
    let mut told: Option<(Moment, Instant)> = None;
    let mut drawn = 0;
    loop {
        let ended = tokio::time::timeout(REDRAW, async { while requests.join_next().await.is_some() {} });
        let done = ended.await.is_ok();
        let committed = match ledger.read(std::slice::from_ref(&item)).await {
            LedgerOutcome::Read(items) => {
                let committed = items.first().map_or(0, |item| item.committed(Dimension::Cost));
                u64::try_from(committed).unwrap_or(0)
            }
            // When the ledger cannot be read the picture is drawn without what is reserved.
            _ => 0,
        };
        let endings = *endings.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = moment(&host.usage(), endings, budget, committed, started.elapsed());
        if live {
            drawn = output::redraw(&bar(&moment), drawn)?;
        } else if done || due(told.as_ref(), &moment) {
            line(&short(&moment))?;
            told = Some((moment.clone(), Instant::now()));
        }
        if done {
            line(&verdict(&moment))?;
            return Ok(moment);
        }
    }
}

/// Whether a line is due: the last one is older than `REPORT`, and something has changed.
fn due(told: Option<&(Moment, Instant)>, moment: &Moment) -> bool {
    told.is_none_or(|(before, at)| at.elapsed() >= REPORT && before.differs(moment))
}

fn send_all(host: &Arc<Host>, endings: &Arc<Mutex<Endings>>) -> JoinSet<()> {
    let mut requests = JoinSet::new();
    for number in 1..=REQUESTS {
        let (host, endings) = (Arc::clone(host), Arc::clone(endings));
        let prompt = format!(
            "Write story number {number} about the end of the month.\n#sim input={READS} output={WRITES} latency=1s"
        );
        let request = json!({"modelId": MODEL, "inference": {"maxTokens": WRITES},
            "prompt": {"messages": [{"role": "user", "content": prompt}]}});
        requests.spawn(async move {
            let result = host.execute(RATE_LIMITER, None, &request.to_string()).await;
            let mut endings = endings.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(finished) => endings.add(&finished),
                Err(_) => endings.failed += 1,
            }
        });
    }
    requests
}

/// The state at this moment, from the calls that the simulated models have counted and the requests that have ended.
fn moment(usage: &Value, endings: Endings, budget: u64, committed: u64, elapsed: Duration) -> Moment {
    let models = usage["models"].as_object();
    let sum = |member: &str| -> u64 {
        models.into_iter().flatten().filter_map(|(_, model)| model[member].as_u64()).sum()
    };
    let billed = TokenUsage {
        input_tokens: sum("inputTokens"),
        output_tokens: sum("outputTokens"),
        cache_read_input_tokens: sum("cacheReadInputTokens"),
        cache_write_input_tokens: sum("cacheWriteInputTokens"),
    };
    let errors = models.into_iter().flatten().filter_map(|(_, model)| model["errors"].as_object());
    let errors: u64 = errors.flatten().filter_map(|(_, count)| count.as_u64()).sum();
    let calls = &usage["calls"];
    let called = calls["InvokeModel"].as_u64().unwrap_or(0) + calls["Converse"].as_u64().unwrap_or(0);
    // Each request calls its model once, unless the call failed. One that has been answered may still be settling.
    let admitted = called.saturating_sub(errors).max(endings.answered);
    // Without a price the budget would not have let anything through.
    let spent = Listed::of(FAMILY).map_or(u64::MAX, |listed| listed.prices.standard.rates().cost(&billed));
    Moment {
        elapsed,
        budget,
        spent,
        held: committed.saturating_sub(spent),
        answered: endings.answered,
        shortened: endings.shortened,
        admitted,
        waiting: REQUESTS.saturating_sub(admitted + endings.refused + endings.failed),
        refused: endings.refused,
        failed: endings.failed,
    }
}
