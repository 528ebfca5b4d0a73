//! The page `docs/models.md`, written from the tables.

mod prices;

use std::fmt::Write;

use sentry_core::model::{Families, InvocationMode, NOT_CHAT, ROUTES, Route, TEMPLATES, UNKNOWN_TEMPLATE};
use sentry_core::request::{CacheTtl, REQUEST_ALLOWANCE};

use crate::tests::formatter;
use crate::{
    FEATURES, Features, ImageSupport, ReasoningSupport, SchemaSupport, StopRule, SystemRole, ThinkingOff,
    ToolSupport, Traits, converse,
};

const HEAD: &str = "<!-- Generated from crates/sentry-core/src/model, crates/sentry-core/src/price and crates/vendor-formats. Do not edit; regenerate with
     UPDATE_DOCS=1 cargo test -p vendor-formats docs -->

# Models

Every chat model of Bedrock can be asked. The vendor is found by the model id, in any of its forms: bare
(`amazon.nova-2-lite-v1:0`), with a context length (`…:0:200k`), with a geographic prefix (`us.`, `eu.`, `apac.`, `global.`,
`us-gov.`, `jp.`, `au.`, `ca.`, `in.`), as an ARN of a foundation model or an inference profile. All names of one model share
one budget. An unknown prefix before a known vendor is refused. Application inference profiles, provisioned, custom and imported models need a limit item with `aliasOf`, since
their id does not say which model is behind it; without one they are refused. They are called as that model is.

Where the ids of two rows overlap, the upper row counts. *Module* is the one of `vendor-formats` that knows the vendor's own format,
also where the model is called by Converse; its function is `format-<module>`.

## How a model is called

*Called* is the default. The attribute `calling` of a limit item overrides it for the item's model:

- `native` has InvokeModel called with the vendor's own body, for a model that has no Converse, such as some imported ones. Where the
  table says that the body carries no usage, or only sometimes, the sentry does not learn what the call used: the request stays
  counted at its reserved upper bound, `usage` shows that, and `usageEstimated` is true. The budget then fills sooner than the bill.
  A vendor without a format of its own is called by Converse all the same.
- `converse` has Converse called, which always says the usage. It takes fewer settings from some models than their own body does.

The second table says what a model takes when it is called by its default.

";

const TAKES: &str = "
## What each takes

`system`: *own* where the model has a place for it, *first user turn* where it is put at the head of that. *Assistant first*: whether
the conversation may begin with what the assistant said. *Begun answer* is an assistant message at the end that the model continues. What a model does not take is refused with the name of the field; no
setting is dropped silently, and no parameter is sent that the request does not have, except the output limit (1,024 by default).

Models that take one text instead of messages refuse a message that contains a border of their prompt template (for example
`<|eot_id|>` for Llama 3, `[INST]` for Mistral 7B), since it could forge a turn.

| example | called | system | assistant first | begun answer | temperature | topP | topK | stopSequences | maxTokens |
|---|---|---|---|---|---|---|---|---|---|
";

const FEATURE_HEAD: &str = "
## What each takes beyond text

A request with anything but text (tools, pictures, documents, earlier tool calls, reasoning, a schema for the answer, a service
tier, cache points) is called through Converse, whatever the first table says. What a family does not take is refused before the
call, with its path in the request and a way out: Bedrock refuses some of it and ignores the rest silently.

- *tools*: with `toolChoice` *auto* the model decides; *any* and *by name* can be forced. The name `sentry_response_format` is
  reserved. *strict* tools need `\"additionalProperties\": false` in every object.
- *pictures*: in messages of the user; *in results*: in the results of tools too.
- *schema*: how `inference.responseFormat` is kept. *Native*: by Bedrock itself, and every object in the schema needs
  `\"additionalProperties\": false`. *Tool*: the model is made to call a tool that takes the schema, and the answer is what it called
  it with; then there can be no tools of the request's own, and no reasoning.
- *reasoning*: what `inference.reasoning` may say. A budget is at least 1,024 and is kept below `maxTokens`, also where the sentry
  shortened that. An effort of a model that knows budgets only is a share of `maxTokens`: low 20 %, medium 50 %, high 80 %, xhigh and
  max 95 %, and at least 1,024. Claude reasons at `temperature` 1 and `topP` from 0.95 only, without `topK`, a forced tool or a begun answer.
- *cache*: the longest `ttl` of a cache point; longer ones stand before shorter ones.
- *tiers*: whether `serviceTier` may be flex or priority; `default` is what every model has.

| ids begin with | tools | pictures | documents | schema | reasoning | cache | tiers |
|---|---|---|---|---|---|---|---|
";

const TEMPLATE: &str = "
## What the input bound allows for the prompt template

A model's prompt template adds to the messages, and what it adds is billed as input. The upper bound of the input is the UTF-8 length
of the messages (the longest of the text and its four normal forms), what the template adds to each message, and what it adds to the
request. With a system message in the request the last column does not apply.

| ids begin with | tokens for each message | for each request | and without a system message | what is known |
|---|---|---|---|---|
";

const REFUSED: &str = "
## Refused

| ids | why |
|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| vendor | models | ids begin with | called | why | usage in the vendor's own format | module |\n|---|---|---|---|---|---|---|\n");
    for route in ROUTES.iter().chain([Route::for_opaque()]) {
        let ids: Vec<String> = route
            .prefixes
            .iter()
            .filter(|prefix| !prefix.is_empty())
            .map(|prefix| format!("`{prefix}`"))
            .collect();
        let module = route.format.map_or("–".to_owned(), |name| format!("`{name}`"));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {module} |",
            route.vendor.title(),
            route.title,
            if ids.is_empty() { "–".to_owned() } else { ids.join(" ") },
            called(route.calling),
            route.reason,
            route.usage.as_str(),
        );
    }
    page.push_str(TAKES);
    for route in ROUTES {
        for example in route.examples {
            let traits = match (route.calling, route.format.map(formatter)) {
                (InvocationMode::Native, Some(own)) => (own.traits)(example),
                _ => converse::traits(example),
            };
            let _ = writeln!(page, "| `{example}` | {} | {} |", called(route.calling), takes(&traits));
        }
    }
    page.push_str(FEATURE_HEAD);
    for row in FEATURES {
        let ids: Vec<String> = row.prefixes.iter().map(|prefix| format!("`{prefix}`")).collect();
        let _ = writeln!(page, "| {} | {} |", ids.join(" "), takes_beyond_text(&row.features));
    }
    let _ = writeln!(page, "| every other id | {} |", takes_beyond_text(&Features::UNKNOWN));
    page.push_str(TEMPLATE);
    for row in TEMPLATES.iter().chain([&UNKNOWN_TEMPLATE]) {
        let ids: Vec<String> = row.prefixes.iter().map(|prefix| format!("`{prefix}`")).collect();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            if ids.is_empty() { "every other id".to_owned() } else { ids.join(" ") },
            row.per_message,
            REQUEST_ALLOWANCE + row.always,
            row.without_system,
            row.source,
        );
    }
    page.push_str(&prices::section());
    page.push_str(REFUSED);
    for row in NOT_CHAT {
        let ids = match row.families {
            Families::Beginning(prefix) => format!("`{prefix}…`"),
            Families::Having(part) => format!("`…{part}…`"),
            Families::BeginningAndHaving(prefix, part) => format!("`{prefix}…{part}…`"),
            Families::Exactly(name) => format!("`{name}`"),
        };
        let _ = writeln!(page, "| {ids} | {} |", row.reason);
    }
    page
}

fn called(calling: InvocationMode) -> &'static str {
    match calling {
        InvocationMode::Native => "InvokeModel",
        InvocationMode::Converse => "Converse",
    }
}

fn takes(traits: &Traits) -> String {
    let yes = |taken: bool| if taken { "yes" } else { "no" };
    let system = match traits.system {
        SystemRole::Own => "own",
        SystemRole::FirstUserTurn => "first user turn",
    };
    let top_p = if traits.top_p && !traits.temperature_with_top_p {
        "without temperature"
    } else {
        yes(traits.top_p)
    };
    let stop = match traits.stop {
        StopRule::Never => "no".to_owned(),
        StopRule::UpTo(most) => format!("up to {most}"),
        StopRule::VisibleUpTo(most) => format!("up to {most}, not only white space"),
        StopRule::TitanWords => "only `\\|` and `User:`".to_owned(),
    };
    format!(
        "{system}{} | {} | {} | {} | {top_p} | {} | {stop} | {}",
        if traits.several_turns { "" } else { "; one user message" },
        yes(traits.assistant_first),
        yes(traits.prefill),
        traits.temperature.map_or("no".to_owned(), |most| format!("0 to {most}")),
        traits.top_k.map_or("no".to_owned(), |least| format!("from {least}")),
        match (traits.least_max_tokens, traits.max_tokens) {
            (1, None) => "–".to_owned(),
            (least, None) => format!("from {least}"),
            (least, Some(most)) => format!("{least} to {most}"),
        },
    )
}

fn takes_beyond_text(features: &Features) -> String {
    let mut tools = match features.tools {
        ToolSupport::No => "no",
        ToolSupport::Auto => "auto",
        ToolSupport::Any => "auto, any",
        ToolSupport::Named => "auto, any, by name",
    }
    .to_owned();
    if features.strict_tools {
        tools.push_str("; strict");
    }
    let pictures = match features.images {
        ImageSupport::No => "no",
        ImageSupport::Messages => "yes",
        ImageSupport::Results => "in results",
    };
    let mut documents =
        if features.documents.is_empty() { "no".to_owned() } else { features.documents.join(" ") };
    if features.documents_in_results {
        documents.push_str("; in results");
    }
    if features.citations {
        documents.push_str("; citations");
    }
    let schema = match features.schema {
        SchemaSupport::No => "no",
        SchemaSupport::ForcedTool => "tool",
        SchemaSupport::Native => "native",
    };
    let reasoning = match features.reasoning {
        ReasoningSupport::No => "off, which it is",
        ReasoningSupport::Fixed => "nothing",
        ReasoningSupport::Budget => "budget, effort, off",
        ReasoningSupport::BudgetOrEffort => "budget, effort but xhigh, off",
        ReasoningSupport::Effort(ThinkingOff::Never) => "effort",
        ReasoningSupport::Effort(ThinkingOff::Type(_)) => "effort, off",
        ReasoningSupport::Nova => "effort low and medium, off",
        ReasoningSupport::Gpt => "effort but max, off",
        ReasoningSupport::EffortField(true) => "effort to high, off",
        ReasoningSupport::EffortField(false) | ReasoningSupport::ConfigField => "effort to high",
    };
    let mut cache = match features.cache.longest {
        None => "no",
        Some(CacheTtl::FiveMinutes) => "5m",
        Some(CacheTtl::OneHour) => "1h",
    }
    .to_owned();
    if features.cache.longest.is_some() && !features.cache.in_tools {
        cache.push_str(", not in tools");
    }
    let tiers = if features.tiers { "yes" } else { "no" };
    format!("{tools} | {pictures} | {documents} | {schema} | {reasoning} | {cache} | {tiers}")
}

#[test]
fn the_page_of_models_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/models.md is out of date; run UPDATE_DOCS=1 cargo test -p vendor-formats docs"
    );
}
