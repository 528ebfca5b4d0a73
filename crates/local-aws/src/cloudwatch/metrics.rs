//! ListMetrics and PutMetricData.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html>

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::input::{
    CloudWatchError, dimensions, fingerprint, float, list as items_of, number, required_text, text, time,
};
use super::store::{MetricKey, MetricStore, Stats};

type Result<T> = std::result::Result<T, CloudWatchError>;

/// Lists the metrics with data in the past two weeks, a page of this many at a time.
///
/// # Errors
/// A filter or the paging token is not understood.
pub fn list(store: &MetricStore, input: &Value, now: DateTime<Utc>, page: usize) -> Result<Value> {
    let since = match text(input, "RecentlyActive")? {
        None => TimeDelta::days(14),
        Some("PT3H") => TimeDelta::hours(3),
        Some(_) => {
            return Err(CloudWatchError::value("The parameter RecentlyActive must be PT3H."));
        }
    };
    let since = now.checked_sub_signed(since).unwrap_or(now);
    let namespace = text(input, "Namespace")?;
    let name = text(input, "MetricName")?;
    let filters = items_of(input, "Dimensions")?
        .iter()
        .map(|item| Ok((required_text(item, "Name")?, text(item, "Value")?)))
        .collect::<Result<Vec<_>>>()?;
    let mark = fingerprint(input);
    let offset: usize = match text(input, "NextToken")? {
        None => 0,
        Some(token) => token
            .split_once('.')
            .filter(|(owner, _)| u64::from_str_radix(owner, 16) == Ok(mark))
            .and_then(|(_, offset)| offset.parse().ok())
            .ok_or_else(CloudWatchError::token)?,
    };
    let matching = |key: &&MetricKey| {
        namespace.is_none_or(|wanted| wanted == key.namespace)
            && name.is_none_or(|wanted| wanted == key.name)
            && filters.iter().all(|(wanted, value)| {
                key.dimensions
                    .iter()
                    .any(|(name, held)| name == wanted && value.is_none_or(|value| value == held))
            })
    };
    let keys: Vec<_> = store.active_since(since).into_iter().filter(matching).collect();
    let next = offset.saturating_add(page.max(1));
    let metrics: Vec<_> = keys
        .iter()
        .skip(offset)
        .take(page.max(1))
        .map(|key| {
            let dimensions: Vec<_> =
                key.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
            json!({ "Namespace": key.namespace, "MetricName": key.name, "Dimensions": dimensions })
        })
        .collect();
    let mut output = json!({ "Metrics": metrics });
    if next < keys.len() {
        output["NextToken"] = json!(format!("{mark:016x}.{next}"));
    }
    Ok(output)
}

/// Takes metrics. Unlike the real service it also takes the namespaces of AWS, so that a test
/// can lay out a history.
///
/// # Errors
/// A datum is not understood; then none is taken.
pub fn put(store: &mut MetricStore, input: &Value, now: DateTime<Utc>) -> Result<Value> {
    let namespace = required_text(input, "Namespace")?;
    let items = items_of(input, "MetricData")?;
    if items.is_empty() {
        return Err(CloudWatchError::missing("MetricData"));
    }
    if items.len() > 1000 {
        return Err(CloudWatchError::value(
            "The collection MetricData must not have a size greater than 1000.",
        ));
    }
    let mut taken = Vec::new();
    for item in items {
        let key = MetricKey::new(namespace, required_text(item, "MetricName")?, dimensions(item, 30)?);
        let at = time(item, "Timestamp")?.unwrap_or(now);
        for stats in values(item)? {
            taken.push((key.clone(), at, stats));
        }
    }
    for (key, at, stats) in taken {
        store.put(key, at, stats);
    }
    Ok(json!({}))
}

fn values(item: &Value) -> Result<Vec<Stats>> {
    let list = items_of(item, "Values")?;
    match (number(item, "Value")?, item.get("StatisticValues"), list) {
        (Some(value), None, []) => Ok(vec![Stats::of(value)]),
        (None, Some(set), []) => {
            let part = |name| number(set, name)?.ok_or_else(|| CloudWatchError::missing(name));
            Ok(vec![Stats {
                sum: part("Sum")?,
                count: part("SampleCount")?,
                min: part("Minimum")?,
                max: part("Maximum")?,
            }])
        }
        (None, None, [_, ..]) => {
            let counts = items_of(item, "Counts")?;
            if !counts.is_empty() && counts.len() != list.len() {
                return Err(CloudWatchError::value(
                    "The collections Values and Counts must have the same size.",
                ));
            }
            let wrong = || CloudWatchError::value("Values and Counts must be finite numbers.");
            list.iter()
                .enumerate()
                .map(|(index, value)| {
                    let value = float(value).ok_or_else(wrong)?;
                    let count = counts.get(index).map_or(Some(1.0), float).ok_or_else(wrong)?;
                    Ok(Stats { sum: value * count, count, min: value, max: value })
                })
                .collect()
        }
        _ => Err(CloudWatchError::value(
            "A metric datum must have exactly one of Value, Values and StatisticValues.",
        )),
    }
}
