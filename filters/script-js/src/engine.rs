//! The interpreter, without what a filter does not have: clocks and random numbers are the gateway's, code is not made of text.

use std::rc::Rc;

use boa_engine::context::time::{Clock, JsInstant};
use boa_engine::context::{ContextBuilder, HostHooks};
use boa_engine::property::PropertyDescriptor;
use boa_engine::realm::Realm;
use boa_engine::{Context, JsNativeError, JsResult, JsString, NativeFunction, js_string};
use tollgate_filter::{clock, random};

use crate::jobs::Jobs;
use crate::modules::Modules;

/// How deep functions may call each other, so that a script that calls itself forever learns of it before its stack is used up.
const RECURSION: usize = 400;
/// The largest buffer, in bytes: what is larger does not fit into a filter's memory.
const BUFFER: u64 = 16 << 20;

pub(crate) fn context(jobs: Rc<Jobs>, modules: Rc<Modules>) -> JsResult<Context> {
    let builder = ContextBuilder::new().clock(Rc::new(GatewayClock)).host_hooks(Rc::new(Hooks));
    let mut context = builder.job_executor(jobs).module_loader(modules).can_block(false).build()?;
    context.runtime_limits_mut().set_recursion_limit(RECURSION);
    let random = NativeFunction::from_fn_ptr(|_, _, _| Ok(fraction(random::number()).into()));
    let random = random.to_js_function(context.realm());
    let math = context.global_object().get(js_string!("Math"), &mut context)?;
    if let Some(math) = math.as_object() {
        let property = PropertyDescriptor::builder().value(random).writable(true).enumerable(false).configurable(true);
        math.insert_property(js_string!("random"), property);
    }
    Ok(context)
}

/// From 0 to below 1.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Calls of it trap where the policy is not granted the clock.
struct GatewayClock;

impl Clock for GatewayClock {
    fn now(&self) -> JsInstant {
        let now = clock::monotonic();
        JsInstant::new(now.as_secs(), now.subsec_nanos())
    }

    fn system_time_millis(&self) -> i64 {
        i64::try_from(clock::now().as_millis()).unwrap_or(i64::MAX)
    }
}

struct Hooks;

impl HostHooks for Hooks {
    fn ensure_can_compile_strings(
        &self,
        _: Realm,
        _: &[JsString],
        _: &JsString,
        _: bool,
        _: &mut Context,
    ) -> JsResult<()> {
        Err(JsNativeError::eval().with_message("code cannot be made of text in a filter").into())
    }

    fn local_timezone_offset_seconds(&self, _: i64) -> i32 {
        0
    }

    fn max_buffer_size(&self, _: &mut Context) -> u64 {
        BUFFER
    }
}
