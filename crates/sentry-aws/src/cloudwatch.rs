//! Bedrock's metrics in CloudWatch.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::DisplayErrorContext;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, StatusCode};
use aws_smithy_types::DateTime;
use sentry_core::error::{ErrorName, SentryError};

use crate::usage;
use crate::{Connection, ListMetrics, MetricQuery, ReadMetrics};

/// The most queries that one GetMetricData takes.
const QUERIES_PER_CALL: usize = 500;

const NAMESPACE: &str = "AWS/Bedrock";

/// The namespace `AWS/Bedrock`.
#[derive(Debug, Clone)]
pub struct BedrockMetrics {
    client: Client,
}

impl BedrockMetrics {
    /// The metrics of the connection's account and region.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(&connection.config) }
    }
}

impl ReadMetrics for BedrockMetrics {
    async fn points(
        &self,
        queries: &[MetricQuery],
        start: i64,
        end: i64,
        period: i32,
    ) -> Result<Vec<Vec<(i64, u64)>>, SentryError> {
        let mut points = vec![Vec::new(); queries.len()];
        for (chunk_index, chunk) in queries.chunks(QUERIES_PER_CALL).enumerate() {
            let offset = chunk_index * QUERIES_PER_CALL;
            let data: Vec<_> = chunk
                .iter()
                .enumerate()
                .map(|(index, query)| metric(offset + index, query, period))
                .collect();
            let mut pages = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(data))
                .start_time(DateTime::from_secs(start))
                .end_time(DateTime::from_secs(end))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| unavailable(&DisplayErrorContext(&error).to_string()))?;
                for result in page.metric_data_results() {
                    // PartialData says that a further page has the rest.
                    if matches!(result.status_code(), Some(StatusCode::InternalError | StatusCode::Forbidden))
                    {
                        return Err(unavailable("CloudWatch answered a query with an error status"));
                    }
                    let index = result
                        .id()
                        .and_then(|id| id.strip_prefix('q'))
                        .and_then(|id| id.parse::<usize>().ok());
                    if let Some(points) = index.and_then(|index| points.get_mut(index)) {
                        let times = result.timestamps().iter().map(DateTime::secs);
                        points.extend(times.zip(result.values().iter().copied().map(tokens)));
                    }
                }
            }
        }
        Ok(points)
    }
}

impl ListMetrics for BedrockMetrics {
    async fn list(&self) -> Result<Vec<MetricQuery>, SentryError> {
        let mut pages = self.client.list_metrics().namespace(NAMESPACE).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| unavailable(&DisplayErrorContext(&error).to_string()))?;
            for metric in page.metrics() {
                let name = metric.metric_name().and_then(usage::metric_named);
                // With more dimensions the same tokens are counted once more.
                if let (Some(name), [dimension]) = (name, metric.dimensions())
                    && let (Some("ModelId"), Some(id)) = (dimension.name(), dimension.value())
                {
                    found.push(MetricQuery { metric: name, model_id: id.to_owned() });
                }
            }
        }
        Ok(found)
    }
}

fn metric(index: usize, query: &MetricQuery, period_seconds: i32) -> MetricDataQuery {
    let dimension = Dimension::builder().name("ModelId").value(&query.model_id).build();
    let metric =
        Metric::builder().namespace(NAMESPACE).metric_name(query.metric).dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(period_seconds).stat("Sum").build();
    MetricDataQuery::builder().id(format!("q{index}")).metric_stat(stat).return_data(true).build()
}

/// CloudWatch counts in floating point; sums of tokens are whole and far below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range first")]
fn tokens(sum: f64) -> u64 {
    sum.round().clamp(0.0, 9_007_199_254_740_992.0) as u64
}

fn unavailable(reason: &str) -> SentryError {
    tracing::error!(reason, "usage unavailable");
    SentryError::new(
        ErrorName::UsageUnavailable,
        "CloudWatch cannot be read at the moment; the ledger alone decides.",
    )
}
