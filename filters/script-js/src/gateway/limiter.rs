//! Rate limits.

use boa_engine::{Context, JsArgs, JsResult, JsValue};
use tollgate_filter::limiter::{self, Limit};

use super::{Function, member, object};
use crate::values;

pub(super) const LIMITER: [Function; 1] = [("take", take, 3)];

fn take(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let key = values::content(args.get_or_undefined(0), "the key", context)?;
    let limit = Limit {
        requests: member(args, 1, "requests", context)?.to_u32(context)?,
        period_ms: member(args, 1, "periodMs", context)?.to_big_uint64(context)?,
        burst: member(args, 1, "burst", context)?.to_u32(context)?,
    };
    let made = limiter::take(key, limit, args.get_or_undefined(2).to_u32(context)?);
    let milliseconds = |milliseconds: u64| JsValue::from(milliseconds as f64);
    let members = [
        ("allowed", made.allowed.into()),
        ("remaining", made.remaining.into()),
        ("retryAfterMs", milliseconds(made.retry_after_ms)),
        ("resetAfterMs", milliseconds(made.reset_after_ms)),
    ];
    Ok(object(members, context))
}
