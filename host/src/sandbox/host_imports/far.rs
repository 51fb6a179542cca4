//! `store` and `limiter` where they may be on a server: calls wait for it. For policies whose state is in this process, the
//! same interfaces answer at once, by the generated bindings.

use wasmtime::component::{Linker, Lower};
use wasmtime::{Result, StoreContextMut};

use crate::sandbox::bindings::tollgate::filter::limiter;
use crate::sandbox::bindings::tollgate::filter::store::Error;
use crate::sandbox::instance::HostState;
use crate::store::{Answer, Deed, Limit, Operation, StoreError};

type Outcome<T> = std::result::Result<T, Error>;
type Host<'a> = StoreContextMut<'a, HostState>;

/// Puts these in the place of those that answer at once.
pub(in crate::sandbox) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    linker.allow_shadowing(true);
    linker.instance("tollgate:filter/limiter@0.1.0")?.func_wrap_async(
        "take",
        |mut host: Host<'_>, (key, limit, cost): (Vec<u8>, limiter::Limit, u32)| {
            Box::new(async move {
                let limit = Limit { requests: limit.requests, period_ms: limit.period_ms, burst: limit.burst };
                let decision = host.data_mut().take_far(key, limit, cost).await?;
                Ok((limiter::Decision::from(decision),))
            })
        },
    )?;
    link_store(linker)
}

/// Defines a function by what it does with its key.
macro_rules! define {
    ($store:ident, $name:literal, ($($argument:ident: $kind:ty),*), $deed:expr, $read:expr) => {
        $store.func_wrap_async(
            $name,
            |host: Host<'_>, (space, key, $($argument),*): (String, Vec<u8>, $($kind),*)| {
                Box::new(perform(host, space, Operation { key, deed: $deed }, $read))
            },
        )?
    };
}

fn link_store(linker: &mut Linker<HostState>) -> Result<()> {
    let mut store = linker.instance("tollgate:filter/store@0.1.0")?;
    define!(store, "get", (), Deed::Get, value);
    define!(store, "set", (value: Vec<u8>, ttl_ms: u64), Deed::Set { value, ttl_ms }, |_| Some(()));
    define!(store, "delete", (), Deed::Delete, flag);
    define!(
        store,
        "compare-and-swap",
        (expected: Option<Vec<u8>>, value: Vec<u8>, ttl_ms: u64),
        Deed::CompareAndSwap { expected, value, ttl_ms },
        flag
    );
    define!(store, "increment", (by: i64, ttl_ms: u64), Deed::Increment { by, ttl_ms }, count);
    define!(store, "acquire", (ttl_ms: u64), Deed::Acquire { ttl_ms }, token);
    define!(store, "renew", (token: u64, ttl_ms: u64), Deed::Renew { token, ttl_ms }, flag);
    define!(store, "release", (token: u64), Deed::Release { token }, flag);
    Ok(())
}

async fn perform<T: Lower>(
    mut host: Host<'_>,
    space: String,
    operation: Operation,
    read: impl Fn(Answer) -> Option<T>,
) -> Result<(Outcome<T>,)> {
    let answer = host.data_mut().perform(&space, operation).await?;
    // An answer of another kind than was asked for would be a fault of the store's.
    Ok((answer.and_then(|answer| read(answer).ok_or(StoreError::Unavailable)).map_err(Error::from),))
}

fn value(answer: Answer) -> Option<Option<Vec<u8>>> {
    if let Answer::Value(value) = answer { Some(value) } else { None }
}

fn count(answer: Answer) -> Option<i64> {
    if let Answer::Count(count) = answer { Some(count) } else { None }
}

fn token(answer: Answer) -> Option<Option<u64>> {
    if let Answer::Token(token) = answer { Some(token) } else { None }
}

fn flag(answer: Answer) -> Option<bool> {
    if let Answer::Flag(flag) = answer { Some(flag) } else { None }
}
