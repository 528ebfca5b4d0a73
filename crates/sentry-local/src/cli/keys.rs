//! `keys`: API keys of the front door, and the file of `serve --keys`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, Subcommand};
use sentry_aws::{Connection, KeysTable};
use sentry_core::api_key::{
    AllowedModels, ApiKey, ID_CHARS, KeyItem, MAX_TENANT_CHARS, is_key_id, is_tenant,
};
use sentry_core::month::parse_time;
use serde_json::Value;

use super::DEFAULT_PORT;
use crate::names::KEYS_TABLE;
use crate::output::{line, note};
use crate::{Config, Host};

const EXAMPLE: &str = r#"[{"id": "acme", "key": "sk-sentry-…"}]"#;

#[derive(Debug, Args)]
pub(super) struct KeysArguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key for a tenant and print it, this once.
    Add {
        /// Whose budgets apply to the key's requests.
        #[arg(value_parser = read_tenant)]
        tenant: String,
        /// A model that the key may ask for, by its id or its family; may be given several times. Without it all.
        #[arg(long = "model", value_name = "ID")]
        models: Vec<String>,
        /// The first moment at which the key does not work any more: 2027-01-01, or 2027-01-01T12:00:00Z.
        #[arg(long, value_name = "DATE", value_parser = read_date)]
        expires: Option<DateTime<Utc>>,
    },
    /// List all keys by their ids.
    List,
    /// Disable a key for good.
    Disable {
        /// The key's id, 16 letters and digits.
        #[arg(value_parser = read_id)]
        id: String,
    },
}

/// Where the keys table is.
#[derive(Debug, Args)]
struct Place {
    /// A running host.
    #[arg(long, global = true, value_name = "URL", default_value_t = format!("http://127.0.0.1:{DEFAULT_PORT}"))]
    endpoint_url: String,
    /// The folder of a host that does not run.
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "endpoint_url")]
    data: Option<PathBuf>,
    /// The keys table of a deployment, by the region and the credentials of the environment.
    #[arg(long, global = true, value_name = "TABLE", conflicts_with_all = ["endpoint_url", "data"])]
    aws_table: Option<String>,
}

pub(super) async fn run(arguments: KeysArguments) -> Result<ExitCode, String> {
    let KeysArguments { action, place } = arguments;
    let host = match &place.data {
        None => None,
        Some(folder) => {
            // Nothing is put into the folder but what is asked for.
            let config = Config { data: Some(folder.clone()), limits: Vec::new(), ..Config::default() };
            Some(crate::start(config).await.map_err(|error| error.to_string())?)
        }
    };
    let result = act(action, &table(&place, host.as_ref()).await).await;
    if let Some(host) = host {
        host.shutdown().await;
    }
    result.map(|()| ExitCode::SUCCESS)
}

async fn table(place: &Place, host: Option<&Host>) -> KeysTable {
    if let Some(table) = &place.aws_table {
        return KeysTable::new(&Connection::from_env().await, table.clone());
    }
    let endpoint = host.map_or_else(|| place.endpoint_url.clone(), Host::url);
    KeysTable::new(&Connection::local(&endpoint).await, KEYS_TABLE.to_owned())
}

async fn act(action: Action, table: &KeysTable) -> Result<(), String> {
    match action {
        Action::Add { tenant, models, expires } => {
            let now = Utc::now();
            if expires.is_some_and(|end| end <= now) {
                return Err("--expires is in the past; the key would never work".to_owned());
            }
            let key = new_key()?;
            let mut item = KeyItem::new(&key, tenant, now);
            item.expires_at = expires;
            if !models.is_empty() {
                let models = AllowedModels::new(models).map_err(|problem| format!("--model {problem}"))?;
                item.allowed_models = Some(models);
            }
            if !table.put_if_absent(&item).await.map_err(|error| error.to_string())? {
                return Err(format!("there is a key with the id {} already; try again", key.id()));
            }
            note(&format!(
                "The key {} of {}. Keep it: it is nowhere stored, and this is the only time that it is shown.",
                key.id(),
                item.tenant
            ));
            print(&key.reveal())
        }
        Action::List => {
            let items = table.list().await.map_err(|error| error.to_string())?;
            print(&listed(&items, Utc::now()))
        }
        Action::Disable { id } => {
            if !table.disable(&id).await.map_err(|error| error.to_string())? {
                return Err(format!("there is no key with the id {id}; `keys list` shows them"));
            }
            note(&format!("The key {id} is disabled. API Gateway may still take it for a minute."));
            Ok(())
        }
    }
}

fn new_key() -> Result<ApiKey, String> {
    let (mut id, mut secret) = ([0; ID_CHARS], [0; 32]);
    getrandom::fill(&mut id)
        .and_then(|()| getrandom::fill(&mut secret))
        .map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(ApiKey::from_random(id, secret))
}

/// One line for each key, by tenant and age.
pub(super) fn listed(items: &[Value], now: DateTime<Utc>) -> String {
    let mut items: Vec<_> = items.iter().map(KeyItem::read).collect();
    items.sort_by_key(|item| item.as_ref().ok().map(|item| (item.tenant.clone(), item.created_at)));
    let mut out = format!("{:ID_CHARS$}  {:20}  {:10}  {:10}  models", "id", "tenant", "created", "state");
    for item in items {
        let written = match item {
            Ok(item) => {
                let state = match (item.admits(now, None), item.expires_at) {
                    (Err(_), _) if item.disabled => "disabled".to_owned(),
                    (Err(_), _) => "expired".to_owned(),
                    (Ok(()), Some(end)) => format!("until {}", end.format("%Y-%m-%d")),
                    (Ok(()), None) => "good".to_owned(),
                };
                let models = item.allowed_models.map_or_else(|| "all".to_owned(), |models| models.joined());
                let created = item.created_at.format("%Y-%m-%d");
                write!(out, "\n{}  {:20}  {created}  {state:10}  {models}", item.key_id, item.tenant)
            }
            Err(error) => write!(out, "\n{error}"),
        };
        // Writing into a text does not fail.
        let _ = written;
    }
    out
}

fn print(text: &str) -> Result<(), String> {
    line(text).map_err(|error| format!("standard output cannot be written: {error}"))
}

/// Reads the file of `serve --keys`, a list of tenants with their keys, into items of the keys table.
///
/// # Errors
/// The file cannot be read, is no list, or has a malformed key or tenant or one key twice.
pub(super) fn read(file: &Path, now: DateTime<Utc>) -> Result<Vec<Value>, String> {
    let place = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("the keys file {place} cannot be read: {error}"))?;
    let document: Value = serde_json::from_str(&text).map_err(|error| {
        format!("the keys file {place} is not JSON: {error}; write a list like {EXAMPLE}")
    })?;
    let Value::Array(entries) = document else {
        return Err(format!("the keys file {place} is not a list; write one like {EXAMPLE}"));
    };
    let mut places = BTreeMap::new();
    let mut items = Vec::with_capacity(entries.len());
    for (number, entry) in (1..).zip(&entries) {
        let wrong = |problem: &str| format!("the keys file {place}, entry {number}: {problem}");
        let field = |name: &str| entry.get(name).and_then(Value::as_str);
        if let Some(unknown) = entry
            .as_object()
            .and_then(|entry| entry.keys().find(|name| !["id", "key"].contains(&name.as_str())))
        {
            return Err(wrong(&format!("{unknown:?} is no field of an entry; write one like {EXAMPLE}")));
        }
        let tenant =
            field("id").map(read_tenant).transpose().map_err(|problem| wrong(&format!("`id`: {problem}")))?;
        let tenant = tenant.ok_or_else(|| wrong("`id`, the tenant, is missing"))?;
        // The message does not repeat what may be a secret.
        let key = field("key").and_then(ApiKey::parse).ok_or_else(|| {
            wrong("`key` is no key: `sentry-local keys add` makes one, sk-sentry- with an id and a secret")
        })?;
        if let Some(first) = places.insert(key.id().to_owned(), number) {
            return Err(wrong(&format!("entry {first} has a key with the same id; leave one of them")));
        }
        items.push(KeyItem::new(&key, tenant, now).document());
    }
    Ok(items)
}

fn read_tenant(text: &str) -> Result<String, String> {
    if is_tenant(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a tenant is 1 to {MAX_TENANT_CHARS} letters, digits, dots, underscores and hyphens"))
    }
}

fn read_id(text: &str) -> Result<String, String> {
    // Somebody may paste the whole key.
    let id = ApiKey::parse(text).map_or_else(|| text.to_owned(), |key| key.id().to_owned());
    if is_key_id(&id) { Ok(id) } else { Err("an id has 16 lower-case letters and digits".to_owned()) }
}

fn read_date(text: &str) -> Result<DateTime<Utc>, String> {
    let day = text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    day.ok()
        .or_else(|| parse_time(text).ok())
        .ok_or_else(|| "write a day such as 2027-01-01 or a time such as 2027-01-01T12:00:00Z".to_owned())
}
