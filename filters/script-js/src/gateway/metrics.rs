//! Counters, gauges and histograms. What the SDK takes for the numbers of metrics and series are objects that hold them.

use boa_engine::{Context, Finalize, JsArgs, JsData, JsObject, JsResult, JsValue, Trace};
use tollgate_filter::metrics::{self, By, Counter, DefineError, Gauge, Histogram};

use super::{Function, member, refusal};
use crate::values::{self, wrong};

pub(super) const METRICS: [Function; 6] = [
    ("define", define, 1),
    ("get", get, 2),
    ("add", add, 2),
    ("set", set, 2),
    ("adjust", adjust, 2),
    ("observe", observe, 2),
];

#[derive(Clone, Copy, Trace, Finalize, JsData)]
#[boa_gc(empty_trace)]
enum Metric {
    Counter(By<Counter>),
    Gauge(By<Gauge>),
    Histogram(By<Histogram>),
}

#[derive(Clone, Copy, Trace, Finalize, JsData)]
#[boa_gc(empty_trace)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

fn define(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let mut text =
        |name| -> JsResult<String> { Ok(member(args, 0, name, context)?.to_string(context)?.to_std_string_lossy()) };
    let (kind, name, help) = (text("kind")?, text("name")?, text("help")?);
    let labels = values::texts(&member(args, 0, "labels", context)?, "labels", context)?;
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let buckets = values::elements(&member(args, 0, "buckets", context)?, "buckets", context)?;
    let buckets = buckets.iter().map(|bucket| bucket.to_number(context)).collect::<JsResult<Vec<f64>>>()?;
    let metric = match kind.as_str() {
        "counter" => metrics::counter_by(&name, &help, &labels).map(Metric::Counter),
        "gauge" => metrics::gauge_by(&name, &help, &labels).map(Metric::Gauge),
        _ => metrics::histogram_by(&name, &help, &labels, &buckets).map(Metric::Histogram),
    };
    match metric {
        Ok(metric) => Ok(JsObject::from_proto_and_data(None, metric).into()),
        Err(DefineError::Invalid(why)) => Err(refusal("invalid", Some(why), context)),
        Err(DefineError::Conflict(why)) => Err(refusal("conflict", Some(why), context)),
        Err(DefineError::TooMany) => Err(refusal("too-many", None, context)),
    }
}

fn get(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let labels = values::elements(args.get_or_undefined(1), "values of labels", context)?;
    let labels = labels.iter().map(|label| Ok(label.to_string(context)?.to_std_string_lossy()));
    let labels = labels.collect::<JsResult<Vec<String>>>()?;
    let metric = args.get_or_undefined(0).as_object();
    let metric = metric.as_ref().and_then(|metric| metric.downcast_ref::<Metric>().map(|metric| *metric));
    let series = match metric.ok_or_else(|| wrong("this is no metric"))? {
        Metric::Counter(metric) => Series::Counter(metric.of(labels)),
        Metric::Gauge(metric) => Series::Gauge(metric.of(labels)),
        Metric::Histogram(metric) => Series::Histogram(metric.of(labels)),
    };
    Ok(JsObject::from_proto_and_data(None, series).into())
}

fn add(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let amount = args.get_or_undefined(1).to_big_uint64(context)?;
    match series(args)? {
        Series::Counter(counter) => counter.add(amount),
        _ => return Err(wrong("only a counter can be added to")),
    }
    Ok(JsValue::undefined())
}

fn set(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    gauge(args)?.set(number(args, context)?);
    Ok(JsValue::undefined())
}

fn adjust(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    gauge(args)?.adjust(number(args, context)?);
    Ok(JsValue::undefined())
}

fn observe(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = number(args, context)?;
    match series(args)? {
        Series::Histogram(histogram) => histogram.observe(value),
        _ => return Err(wrong("only a histogram observes")),
    }
    Ok(JsValue::undefined())
}

fn gauge(args: &[JsValue]) -> JsResult<Gauge> {
    match series(args)? {
        Series::Gauge(gauge) => Ok(gauge),
        _ => Err(wrong("only a gauge can be set")),
    }
}

fn number(args: &[JsValue], context: &mut Context) -> JsResult<f64> {
    args.get_or_undefined(1).to_number(context)
}

fn series(args: &[JsValue]) -> JsResult<Series> {
    let series = args.get_or_undefined(0).as_object();
    let series = series.as_ref().and_then(|series| series.downcast_ref::<Series>().map(|series| *series));
    series.ok_or_else(|| wrong("this is no series of a metric"))
}
