//! The request log: single calls, sums of them, and what there is to filter by.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use policy::window::utc_text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{Bar, CallStatus, Dimension, LogFilter, LogId, LogRow, Logs, Order, SortBy, Stats, StoreError, Within};
use utoipa::{IntoParams, ToSchema};

use super::audit::moment;
use crate::error::ApiError;
use crate::extract::{Named, Params};
use crate::openapi::Failures;
use crate::state::State;

const DEFAULT: u32 = 50;
const MOST: u32 = 1_000;
const HOUR_MS: u64 = 3_600_000;

/// Which calls. Lists are written with commas.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Providers of the last attempt.
    providers: Option<String>,
    /// Models of the last attempt, as the provider calls them.
    models: Option<String>,
    /// `success`, `error`, `refused`, `client_left` or `abandoned`.
    status: Option<String>,
    /// What was asked for: `chat_completion`, `embedding`, ….
    objects: Option<String>,
    /// Ids of virtual keys.
    virtual_key_ids: Option<String>,
    /// Ids of teams.
    team_ids: Option<String>,
    /// Ids of customers.
    customer_ids: Option<String>,
    /// The id that the client was told.
    request_id: Option<String>,
    /// Calls that began at this moment or later (RFC 3339).
    start_time: Option<String>,
    /// Calls that began before this moment (RFC 3339).
    end_time: Option<String>,
    /// In milliseconds.
    min_latency: Option<u64>,
    /// In milliseconds.
    max_latency: Option<u64>,
    min_tokens: Option<u64>,
    max_tokens: Option<u64>,
    /// In US dollars.
    min_cost: Option<f64>,
    /// In US dollars.
    max_cost: Option<f64>,
    /// A text in the request's id, in a model's name, or in what is told of a failure. Contents are not kept.
    content_search: Option<String>,
    /// How many: 50 by default, 1,000 at most.
    #[param(format = Int64, maximum = 4_294_967_295_u32)]
    limit: Option<u32>,
    /// How many are left out; only where `sort_by` is not `timestamp`.
    #[param(format = Int64, maximum = 4_294_967_295_u32)]
    offset: Option<u32>,
    /// The `next_cursor` of the page before; only where `sort_by` is `timestamp`.
    cursor: Option<String>,
    /// By what they are sorted; `timestamp` by default.
    #[param(inline)]
    sort_by: Option<Sorted>,
    /// In which direction; `desc` by default.
    #[param(inline)]
    order: Option<Direction>,
    /// How long a bar of a histogram is, in seconds; an hour by default.
    bucket_size_seconds: Option<u64>,
    /// What bars are divided by.
    #[param(inline)]
    dimension: Option<By>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Sorted {
    #[default]
    Timestamp,
    Latency,
    Tokens,
    Cost,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Asc,
    #[default]
    Desc,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    Provider,
    Model,
    Object,
    Status,
}

/// A page of calls, and sums of all that the filter lets through.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogPage {
    /// The calls.
    #[schema(value_type = Vec<Object>)]
    logs: Vec<Value>,
    pagination: Pagination,
    stats: Summary,
}

/// Where a page is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pagination {
    limit: u32,
    offset: u32,
    /// The `cursor` of the next page; `null`: there is none, or rows are not sorted by time.
    next_cursor: Option<String>,
}

/// Sums of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    total_requests: u64,
    /// Of a hundred calls, how many were answered whole.
    success_rate: f64,
    /// In milliseconds.
    average_latency: f64,
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    /// In US dollars.
    total_cost: f64,
    /// There were too many to count: these are those from this moment on.
    counted_from: Option<String>,
}

/// Sums over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistogramPage {
    /// How long a bar is: what was asked for, or more where no shorter sums are kept.
    bucket_size_seconds: u64,
    /// The bars that are not empty, in order.
    buckets: Vec<Bucket>,
}

/// A bar, or a part of one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bucket {
    /// When it begins (RFC 3339).
    timestamp: String,
    /// Which part; empty where bars are not divided.
    part: String,
    #[serde(flatten)]
    stats: Summary,
}

/// What there is to filter by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FilterData {
    providers: Vec<String>,
    models: Vec<String>,
    virtual_key_ids: Vec<String>,
    team_ids: Vec<String>,
    customer_ids: Vec<String>,
}

/// Calls, the newest first.
#[utoipa::path(get, path = "/api/logs", tag = "logs", operation_id = "list_logs", params(LogQuery),
    responses((status = 200, description = "A page, and sums of all.", body = LogPage), Failures))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Params(query): Params<LogQuery>,
) -> Result<Json<LogPage>, ApiError> {
    let filter = query.filter()?;
    let limit = query.limit.unwrap_or(DEFAULT).clamp(1, MOST);
    let offset = query.offset.unwrap_or(0);
    let after = query.cursor.as_deref().map(id).transpose()?;
    let (sort, order) = (query.sort_by.unwrap_or_default(), query.order.unwrap_or_default());
    if (sort == Sorted::Timestamp && offset > 0) || (sort != Sorted::Timestamp && after.is_some()) {
        let why = "rows sorted by time are paged with `cursor`, others with `offset`";
        return Err(ApiError::invalid(why).about(if offset > 0 { "offset" } else { "cursor" }));
    }
    let read = move |logs: &Logs| {
        let (rows, next) = match sorted_by(sort) {
            None => {
                let order = if order == Direction::Desc { Order::NewestFirst } else { Order::OldestFirst };
                let page = logs.page(&filter, order, after, limit)?;
                (page.rows, page.next)
            }
            Some(by) => (logs.sorted(&filter, by, order == Direction::Desc, offset, limit)?, None),
        };
        Ok((rows, next, logs.stats(&filter)?))
    };
    let (rows, next, stats) = look(&state, read).await?;
    let pagination = Pagination { limit, offset, next_cursor: next.map(|id| id.to_string()) };
    Ok(Json(LogPage { logs: rows.iter().map(shown).collect(), pagination, stats: summary(&stats) }))
}

/// One call.
#[utoipa::path(get, path = "/api/logs/{id}", tag = "logs", operation_id = "get_log", params(("id" = String, Path)),
    responses((status = 200, description = "The call.", body = Object), Failures))]
pub(crate) async fn read(Shared(state): Shared<State>, Named(name): Named<String>) -> Result<Json<Value>, ApiError> {
    let nothing = || ApiError::not_found("there is no such call in the log, or no longer");
    let id = LogId::from_str(&name).map_err(|_| nothing())?;
    let row = look(&state, move |logs| logs.row(id)).await?.ok_or_else(nothing)?;
    Ok(Json(shown(&row)))
}

/// Sums of calls.
#[utoipa::path(get, path = "/api/logs/stats", tag = "logs", operation_id = "log_stats", params(LogQuery),
    responses((status = 200, description = "Sums.", body = Summary), Failures))]
pub(crate) async fn stats(
    Shared(state): Shared<State>,
    Params(query): Params<LogQuery>,
) -> Result<Json<Summary>, ApiError> {
    let filter = query.filter()?;
    let stats = look(&state, move |logs| logs.stats(&filter)).await?;
    Ok(Json(summary(&stats)))
}

/// Sums over time. Filters of single calls (`request_id`, latency, tokens, cost, `content_search`) are not heeded.
#[utoipa::path(get, path = "/api/logs/histogram", tag = "logs", operation_id = "log_histogram", params(LogQuery),
    responses((status = 200, description = "Bars.", body = HistogramPage), Failures))]
pub(crate) async fn histogram(
    Shared(state): Shared<State>,
    Params(query): Params<LogQuery>,
) -> Result<Json<HistogramPage>, ApiError> {
    let filter = query.filter()?;
    let bar_ms = query.bucket_size_seconds.map_or(HOUR_MS, |seconds| seconds.saturating_mul(1_000));
    let by = query.dimension.map(|by| match by {
        By::Provider => Dimension::Provider,
        By::Model => Dimension::Model,
        By::Object => Dimension::Operation,
        By::Status => Dimension::Status,
    });
    let found = look(&state, move |logs| logs.histogram(&filter, bar_ms, by)).await?;
    let bucket = |bar: Bar| Bucket { timestamp: utc_text(bar.start_ms), part: bar.part, stats: summary(&bar.stats) };
    let buckets = found.bars.into_iter().map(bucket).collect();
    Ok(Json(HistogramPage { bucket_size_seconds: found.bar_ms / 1_000, buckets }))
}

/// What there is to filter by.
#[utoipa::path(get, path = "/api/logs/filterdata", tag = "logs", operation_id = "log_filter_data",
    responses((status = 200, description = "What there is.", body = FilterData), Failures))]
pub(crate) async fn filter_data(Shared(state): Shared<State>) -> Result<Json<FilterData>, ApiError> {
    let found = look(&state, Logs::filter_data).await?;
    let (mut providers, mut models): (Vec<_>, Vec<_>) = found.models.into_iter().unzip();
    for list in [&mut providers, &mut models] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(Json(FilterData {
        providers,
        models,
        virtual_key_ids: found.keys,
        team_ids: found.teams,
        customer_ids: found.customers,
    }))
}

async fn look<T: Send + 'static>(
    state: &State,
    look: impl FnOnce(&Logs) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    let logs: Option<Arc<Logs>> = state.logs.clone();
    let logs = logs.ok_or_else(|| ApiError::unavailable("request logs are not kept"))?;
    state.blocking(move |_| look(&logs).map_err(|error| ApiError::unavailable(error.to_string()))).await
}

impl LogQuery {
    fn filter(&self) -> Result<LogFilter, ApiError> {
        let within = |least: Option<u64>, most: Option<u64>| Within { least, most };
        let ms = |ms: Option<u64>| ms.map(|ms| ms.saturating_mul(1_000));
        let texts = [&self.providers, &self.models, &self.objects, &self.request_id, &self.content_search];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(ApiError::invalid("a filter holds the character U+0000, which no row does"));
        }
        Ok(LogFilter {
            from_ms: moment("start_time", self.start_time.clone())?,
            to_ms: moment("end_time", self.end_time.clone())?,
            providers: list_of(self.providers.as_deref()),
            models: list_of(self.models.as_deref()),
            operations: list_of(self.objects.as_deref()),
            statuses: list_of(self.status.as_deref()).iter().map(|word| status(word)).collect::<Result<_, _>>()?,
            keys: list_of(self.virtual_key_ids.as_deref()),
            teams: list_of(self.team_ids.as_deref()),
            customers: list_of(self.customer_ids.as_deref()),
            request_id: self.request_id.clone(),
            latency_us: within(ms(self.min_latency), ms(self.max_latency)),
            tokens: within(self.min_tokens, self.max_tokens),
            cost_nano: within(nano("min_cost", self.min_cost)?, nano("max_cost", self.max_cost)?),
            search: self.content_search.clone().filter(|text| !text.is_empty()),
        })
    }
}

fn sorted_by(sort: Sorted) -> Option<SortBy> {
    match sort {
        Sorted::Timestamp => None,
        Sorted::Latency => Some(SortBy::Latency),
        Sorted::Tokens => Some(SortBy::Tokens),
        Sorted::Cost => Some(SortBy::Cost),
    }
}

fn list_of(text: Option<&str>) -> Vec<String> {
    let words = text.into_iter().flat_map(|text| text.split(','));
    words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn id(text: &str) -> Result<LogId, ApiError> {
    text.parse().map_err(|_| ApiError::invalid("cursor: not one that was given out").about("cursor"))
}

fn status(word: &str) -> Result<CallStatus, ApiError> {
    word.parse::<CallStatus>().map_err(|error| ApiError::invalid(format!("status: {error}")).about("status"))
}

/// Nano-dollars of dollars.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is checked to be in the range")]
fn nano(name: &str, dollars: Option<f64>) -> Result<Option<u64>, ApiError> {
    let Some(dollars) = dollars else { return Ok(None) };
    if !(0.0..=1e9).contains(&dollars) {
        return Err(ApiError::invalid(format!("{name}: expected an amount of US dollars, 0 or more")).about(name));
    }
    Ok(Some((dollars * 1e9).round() as u64))
}

#[expect(clippy::cast_precision_loss, reason = "amounts for people")]
fn dollars(nano: u64) -> f64 {
    nano as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "times for people")]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1e3
}

fn summary(stats: &Stats) -> Summary {
    Summary {
        total_requests: stats.total_requests,
        success_rate: stats.success_rate(),
        average_latency: milliseconds(stats.average_latency_us()),
        input_tokens: stats.input_tokens,
        output_tokens: stats.output_tokens,
        total_tokens: stats.total_tokens,
        total_cost: dollars(stats.cost_nano),
        counted_from: stats.counted_from_ms.map(utc_text),
    }
}

/// A call as it is told: what there is nothing to say of is left out.
fn shown(row: &LogRow) -> Value {
    let call = &row.call;
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() && value != json!("") {
            all.insert(name.to_owned(), value);
        }
    };
    put("id", json!(row.id.to_string()));
    put("timestamp", json!(utc_text(call.at_ms)));
    let texts = [
        ("request_id", &call.request_id),
        ("virtual_key_id", &call.key),
        ("team_id", &call.team),
        ("customer_id", &call.customer),
        ("provider", &call.provider),
        ("key_name", &call.credential),
        ("model", &call.model),
        ("model_asked", &call.model_asked),
        ("object", &call.operation),
        ("dialect", &call.dialect),
        ("reason", &call.reason),
        ("error", &call.reason_text),
        ("usage_source", &call.source),
        ("failed_attempts", &call.trail),
        ("routing_rules", &call.rules),
        ("pricing_override_id", &call.price_override),
    ];
    texts.into_iter().for_each(|(name, text)| put(name, json!(text)));
    put("status", json!(call.status.to_string()));
    put("http_status", json!(call.http_status));
    put("provider_status", if call.vendor_status == 0 { Value::Null } else { json!(call.vendor_status) });
    put("stream", json!(call.is_stream));
    put("is_priced", json!(call.is_priced));
    put("latency", json!(milliseconds(call.total_us)));
    put("first_content_latency", json!(call.first_content_us.map(milliseconds)));
    put("token_usage", json!(call.tokens));
    put("total_tokens", json!(call.total_tokens));
    put("cost", json!(dollars(call.cost_nano)));
    put("provider_cost", json!(call.vendor_cost_nano.map(dollars)));
    put("attempts", json!(call.attempts));
    put("retries", json!(call.retries));
    put("request_bytes", json!(call.bytes_in));
    put("response_bytes", json!(call.bytes_out));
    Value::Object(all)
}
