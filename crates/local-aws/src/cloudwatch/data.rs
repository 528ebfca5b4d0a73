//! GetMetricData: named metrics over a time, with the real service's periods and retention.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::input::{
    CloudWatchError, boolean, dimensions, fingerprint, integer, list, required_text, required_time, text,
};
use super::store::{MetricKey, MetricStore, Stats};

type Result<T> = std::result::Result<T, CloudWatchError>;

const MOST_QUERIES: usize = 500;
const MOST_DATAPOINTS: usize = 100_800;
const DAY: i64 = 86_400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statistic {
    Sum,
    Average,
    SampleCount,
    Minimum,
    Maximum,
}

impl Statistic {
    fn of(self, stats: Stats) -> f64 {
        match self {
            Self::Sum => stats.sum,
            Self::Average => stats.sum / stats.count.max(1.0),
            Self::SampleCount => stats.count,
            Self::Minimum => stats.min,
            Self::Maximum => stats.max,
        }
    }
}

#[derive(Debug)]
struct Query {
    id: String,
    label: String,
    key: MetricKey,
    period: i64,
    statistic: Statistic,
    returned: bool,
}

/// Answers a request; a page holds at most this many datapoints and results.
///
/// # Errors
/// The request does not make sense, or asks for what is not simulated.
pub fn get(
    store: &MetricStore,
    input: &Value,
    now: DateTime<Utc>,
    page_points: usize,
    page_results: usize,
) -> Result<Value> {
    let start = required_time(input, "StartTime")?.timestamp();
    let end = required_time(input, "EndTime")?;
    // EndTime is exclusive: a fraction of a second still lets its own second in.
    let end = end.timestamp() + i64::from(end.timestamp_subsec_nanos() > 0);
    if start >= end {
        return Err(CloudWatchError::validation(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let newest_first = match text(input, "ScanBy")? {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(_) => {
            return Err(CloudWatchError::value(
                "The parameter ScanBy must be TimestampDescending or TimestampAscending.",
            ));
        }
    };
    let most = match integer(input, "MaxDatapoints")? {
        None => MOST_DATAPOINTS,
        Some(most) => usize::try_from(most)
            .ok()
            .filter(|most| (1..=MOST_DATAPOINTS).contains(most))
            .ok_or_else(|| {
                CloudWatchError::value(format!(
                    "The parameter MaxDatapoints must be from 1 to {MOST_DATAPOINTS}."
                ))
            })?,
    };
    let queries = read_queries(input)?;
    let mark = fingerprint(input);
    let (mut at, mut offset) = match text(input, "NextToken")? {
        None => (0, 0),
        Some(token) => read_token(token, mark).ok_or_else(CloudWatchError::token)?,
    };

    let returned: Vec<_> = queries.iter().filter(|query| query.returned).collect();
    let mut room = most.min(page_points.max(1));
    let mut results = Vec::new();
    while let Some(query) = returned.get(at) {
        if room == 0 || results.len() >= page_results.max(1) {
            break;
        }
        let mut points = points(store, query, start, end, now);
        if newest_first {
            points.reverse();
        }
        let rest = points.get(offset..).unwrap_or_default();
        let page = rest.get(..room).unwrap_or(rest);
        let complete = page.len() == rest.len();
        results.push(json!({
            "Id": query.id,
            "Label": query.label,
            "Timestamps": page.iter().map(|(time, _)| *time).collect::<Vec<_>>(),
            "Values": page.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            "StatusCode": if complete { "Complete" } else { "PartialData" },
        }));
        room -= page.len();
        (at, offset) = if complete { (at + 1, 0) } else { (at, offset + page.len()) };
    }
    let mut output = json!({ "MetricDataResults": results, "Messages": [] });
    if at < returned.len() {
        output["NextToken"] = json!(format!("{mark:016x}.{at}.{offset}"));
    }
    Ok(output)
}

fn read_token(token: &str, mark: u64) -> Option<(usize, usize)> {
    let mut parts = token.split('.');
    let (owner, at, offset) = (parts.next()?, parts.next()?, parts.next()?);
    (u64::from_str_radix(owner, 16).ok()? == mark).then_some((at.parse().ok()?, offset.parse().ok()?))
}

fn read_queries(input: &Value) -> Result<Vec<Query>> {
    let items = list(input, "MetricDataQueries")?;
    if items.is_empty() {
        return Err(CloudWatchError::missing("MetricDataQueries"));
    }
    if items.len() > MOST_QUERIES {
        return Err(CloudWatchError::validation(format!(
            "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )));
    }
    let mut queries: Vec<Query> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let query = read_query(item, &format!("MetricDataQueries.member.{}", index + 1))?;
        if queries.iter().any(|other| other.id == query.id) {
            return Err(CloudWatchError::validation(format!(
                "The values for parameter id in MetricDataQueries are not unique: {}",
                query.id
            )));
        }
        queries.push(query);
    }
    if !queries.iter().any(|query| query.returned) {
        return Err(CloudWatchError::validation(
            "At least one query in MetricDataQueries must have ReturnData set to true.",
        ));
    }
    Ok(queries)
}

fn read_query(item: &Value, place: &str) -> Result<Query> {
    let id = required_text(item, "Id").map_err(|_| CloudWatchError::missing(&format!("{place}.Id")))?;
    let starts_small = id.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    if !starts_small || id.len() > 255 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Err(CloudWatchError::validation(format!(
            "The value {id} for parameter {place}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )));
    }
    if item.get("Expression").is_some() {
        return Err(CloudWatchError::validation(format!(
            "The query {id} has an Expression: the local CloudWatch has neither SEARCH nor metric math; name each metric with a MetricStat."
        )));
    }
    let stat = item.get("MetricStat").filter(|stat| stat.is_object()).ok_or_else(|| {
        CloudWatchError::validation(format!(
            "The parameter {place} must have either an Expression or a MetricStat."
        ))
    })?;
    let metric =
        stat.get("Metric").ok_or_else(|| CloudWatchError::missing(&format!("{place}.MetricStat.Metric")))?;
    let name = required_text(metric, "MetricName")?;
    let key = MetricKey::new(required_text(metric, "Namespace")?, name, dimensions(metric, 30)?);
    let period = integer(stat, "Period")?
        .ok_or_else(|| CloudWatchError::missing(&format!("{place}.MetricStat.Period")))?;
    if !matches!(period, 1 | 5 | 10 | 20 | 30) && (period < 60 || period % 60 != 0) {
        return Err(CloudWatchError::validation(format!(
            "The parameter {place}.MetricStat.Period must be 1, 5, 10, 20, 30 or a multiple of 60; it is {period}."
        )));
    }
    let statistic = match required_text(stat, "Stat")? {
        "Sum" => Statistic::Sum,
        "Average" => Statistic::Average,
        "SampleCount" => Statistic::SampleCount,
        "Minimum" => Statistic::Minimum,
        "Maximum" => Statistic::Maximum,
        other => {
            return Err(CloudWatchError::validation(format!(
                "The value {other} for parameter {place}.MetricStat.Stat is not supported here: use Sum, Average, SampleCount, Minimum or Maximum."
            )));
        }
    };
    Ok(Query {
        id: id.to_owned(),
        label: text(item, "Label")?.unwrap_or(name).to_owned(),
        key,
        period,
        statistic,
        returned: boolean(item, "ReturnData")?.unwrap_or(true),
    })
}

/// The datapoints of a query, oldest first. Each carries its whole period and the time of its
/// start; the start of the interval is rounded down to what is kept for its age, the end cuts by
/// the datapoint's time.
fn points(store: &MetricStore, query: &Query, start: i64, end: i64, now: DateTime<Utc>) -> Vec<(i64, f64)> {
    let age = now.timestamp().saturating_sub(start);
    let kept = match age {
        _ if age > 63 * DAY => 3600,
        _ if age > 15 * DAY => 300,
        _ => 60,
    };
    if query.period % kept != 0 {
        return Vec::new();
    }
    let start = start - start.rem_euclid(kept);
    // Periods of more than a day have no place of their own in the calendar: they begin with the interval.
    let origin = if query.period > DAY { start } else { 0 };
    let bucket = |time: i64| time - (time - origin).rem_euclid(query.period);
    let mut buckets: BTreeMap<i64, Stats> = BTreeMap::new();
    let last = bucket(end - 1).saturating_add(query.period);
    if let Some(points) = store.points(&query.key) {
        for (minute, stats) in points.range(start..last.max(start)) {
            let time = bucket(*minute);
            if time >= start && time < end {
                buckets.entry(time).and_modify(|held| held.merge(*stats)).or_insert(*stats);
            }
        }
    }
    buckets.into_iter().map(|(time, stats)| (time, query.statistic.of(stats))).collect()
}
