use super::*;
use crate::limit::{ATTRIBUTES, Attribute, Owner};

fn table(rows: impl Iterator<Item = &'static Attribute>) -> String {
    let rows = rows.map(|row| match row.default {
        "" => format!("| `{}` | {} | |\n", row.name, row.meaning),
        default => format!("| `{}` | {} | {default} |\n", row.name, row.meaning),
    });
    format!("| attribute | what it does | default |\n|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_documentation_has_every_attribute() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/budgets.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = || ATTRIBUTES.iter().filter(|row| row.name != "modelId");
    for expected in [
        table(rows().filter(|row| row.of == Owner::Every)),
        table(rows().filter(|row| row.of != Owner::Every)),
    ] {
        assert!(
            page.contains(&format!("\n\n{expected}\n")),
            "docs/budgets.md must have this table:\n\n{expected}"
        );
    }
}

#[test]
fn every_attribute_is_read_with_what_it_needs_and_refused_without() {
    let values = json!({
        "mode": "observe", "boost": {"input": 1, "until": "2026-11-30T00:00:00Z"}, "fallbackModelId": "amazon.nova-pro-v1:0",
        "onShortage": "refuse", "minMaxTokens": 1, "warnAtPercent": [1], "shards": 2, "description": "x", "defaultMaxTokens": 1,
        "maxTokensCap": 1, "pricePerMillionTokensUsd": {"input": 1, "output": 1}, "aliasOf": "amazon.nova-pro-v1:0",
        "calling": "native", "limit": {"input": 1, "output": 1}, "modelId": "amazon.nova-lite-v1:0",
    });
    let with = |id: &str, names: &[&str], more: Value| {
        let mut item = more;
        item["modelId"] = json!(id);
        for name in names.iter().filter(|name| **name != "modelId") {
            item[*name] = values[*name].clone();
        }
        LimitItem::parse(&item).map_err(|error| error.details["attribute"].as_str().unwrap().to_owned())
    };
    let named = |name: &str| Err(name.to_owned());
    assert_eq!(values.as_object().unwrap().len(), ATTRIBUTES.len());
    for Attribute { name, of, needs, .. } in ATTRIBUTES {
        for (id, owners) in [
            ("amazon.nova-lite-v1:0", [true, true, true]),
            ("default", [true, true, false]),
            ("account", [true, false, false]),
            ("tenant/acme", [true, false, false]),
            ("tenant/acme/amazon.nova-lite-v1:0", [true, false, false]),
        ] {
            let may = owners[*of as usize];
            let read = with(id, &["limit", name], json!({}));
            assert!(if may { read.is_ok() } else { read == named(name) }, "{id} {name}: {read:?}");
        }
        let id = "amazon.nova-lite-v1:0";
        let (alone, blocked) = (with(id, &[name], json!({})), with(id, &[name], json!({"mode": "block"})));
        match needs {
            Needs::Nothing => assert!(alone.is_ok() && blocked.is_ok(), "{name}"),
            Needs::OtherAttributes => assert!(alone == named("limit") && blocked.is_ok(), "{name}"),
            Needs::Limit => assert!(alone == named(name) && blocked == named(name), "{name}"),
            // The mode itself is no longer block here.
            Needs::LimitOrBlock => {
                assert!(alone == named(name) && (blocked.is_ok() || *name == "mode"), "{name}")
            }
        }
    }
}
