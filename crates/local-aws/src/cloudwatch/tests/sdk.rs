//! The SDK that the functions use must understand this service: values, pages and errors.

use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatch::error::ProvideErrorMetadata;
use aws_sdk_cloudwatch::primitives::DateTime as SdkTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat};
use aws_sdk_cloudwatch::{Client, Config};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::*;

async fn serve(State(watch): State<Arc<CloudWatch>>, Path(operation): Path<String>, body: Bytes) -> Response {
    let reply = watch.handle_cbor(&operation, &body, at("2026-11-23T12:30:00Z"));
    let mut response = (StatusCode::from_u16(reply.status).unwrap(), reply.body).into_response();
    response.headers_mut().clear();
    for (name, value) in &reply.headers {
        response
            .headers_mut()
            .insert(axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    response
}

/// A client of a server on a free port.
async fn client(watch: Arc<CloudWatch>) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let path = "/service/GraniteServiceVersion20100801/operation/{operation}";
    let router = axum::Router::new().route(path, axum::routing::post(serve)).with_state(watch);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("any", "any", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(aws_sdk_cloudwatch::config::retry::RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

fn named(id: &str, name: &str) -> MetricDataQuery {
    let dimension = Dimension::builder().name("ModelId").value("m").build();
    let metric = Metric::builder().namespace("AWS/Bedrock").metric_name(name).dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(60).stat("Sum").build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

#[tokio::test]
async fn the_rust_sdk_reads_values_pages_and_errors() {
    let config = CloudWatchConfig {
        lag: TimeDelta::zero(),
        page_datapoints: 2,
        page_metrics: 3,
        ..CloudWatchConfig::default()
    };
    let watch = Arc::new(CloudWatch::new(config, Arc::new(Faults::new(1))));
    for minute in 0..3 {
        // Over 65,504, where a half float would end, and with a fraction of none.
        spend(&watch, "m", &format!("2026-11-23T12:0{minute}:00Z"), 70_001 + minute, 1);
    }
    let client = client(Arc::clone(&watch)).await;
    let start = at("2026-11-23T12:00:00Z").timestamp();

    let mut pages = client
        .get_metric_data()
        .start_time(SdkTime::from_secs(start))
        .end_time(SdkTime::from_secs(start + 3600))
        .metric_data_queries(named("i", "InputTokenCount"))
        .metric_data_queries(named("o", "OutputTokenCount"))
        .metric_data_queries(named("none", "CacheReadInputTokenCount"))
        .into_paginator()
        .send();
    let (mut input, mut output, mut times, mut count) = (0.0, 0.0, Vec::new(), 0);
    while let Some(page) = pages.next().await {
        count += 1;
        for result in page.unwrap().metric_data_results() {
            let sum: f64 = result.values().iter().sum();
            match result.id().unwrap() {
                "i" => {
                    input += sum;
                    times.extend(result.timestamps().iter().map(SdkTime::secs));
                }
                _ => output += sum,
            }
        }
    }
    assert_eq!((input, output), (210_006.0, 3.0));
    assert_eq!(times, [start + 120, start + 60, start]);
    assert!(count >= 3, "{count} pages");

    let pages = client.list_metrics().namespace("AWS/Bedrock").into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.metrics().len()).collect::<Vec<_>>(), [3, 1]);

    let datum =
        MetricDatum::builder().metric_name("a").value(1.5).timestamp(SdkTime::from_secs(start)).build();
    client.put_metric_data().namespace("Own").metric_data(datum).send().await.unwrap();
    assert_eq!(client.list_metrics().namespace("Own").send().await.unwrap().metrics().len(), 1);

    let error = client
        .get_metric_data()
        .start_time(SdkTime::from_secs(start))
        .end_time(SdkTime::from_secs(start + 60))
        .metric_data_queries(MetricDataQuery::builder().id("e").expression("SEARCH('x')").build())
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("ValidationError"));
    assert!(error.message().unwrap().contains("neither SEARCH"));

    watch.faults.replace(&["cloudwatch.InternalServiceFault:1"]).unwrap();
    let error = client.list_metrics().send().await.unwrap_err().into_service_error();
    assert!(error.is_internal_service_fault(), "{error:?}");
}
